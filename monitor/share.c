/* SPDX-License-Identifier: MIT */
/*
 * COM1 is shared. See share.h.
 */
#include "monitor/share.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "drivers/console.h"
#include "drivers/serial.h"
#include "lib/spinlock.h"
#include "monitor/shared_uart.h"
#include "vmm/vm0/ports.h"

/* Beats that follow each other faster, as while all vCPUs are paused, are one. */
#define BEATS_HZ 2000

static u8 read_register(unsigned reg)
{
	return inb((u16)(SERIAL_COM1 + reg));
}

static void write_register(unsigned reg, u8 value)
{
	outb((u16)(SERIAL_COM1 + reg), value);
}

static struct shared_uart uart;
static spinlock_t lock; /* no message may be printed by who has it */
static u64 last_beat;

static u8 guest_reads(struct vcpu *vcpu, u16 port)
{
	u8 value;

	(void)vcpu;
	spin_lock(&lock);
	value = shared_uart_read(&uart, port - SERIAL_COM1);
	spin_unlock(&lock);
	return value;
}

static bool guest_writes(unsigned reg, u8 value)
{
	spin_lock(&lock);
	shared_uart_write(&uart, reg, value);
	spin_unlock(&lock);
	return false;
}

#define WRITTEN(reg)                                                                        \
	static bool reg##_written(__unused struct vcpu *vcpu,                               \
				  __unused const struct pio_access *io, __unused u32 value, \
				  u8 *byte)                                                 \
	{                                                                                   \
		return guest_writes(UART_##reg, *byte);                                     \
	}
WRITTEN(DATA)
WRITTEN(IER)
WRITTEN(IIR)
WRITTEN(LCR)
WRITTEN(MCR)
WRITTEN(LSR)
WRITTEN(MSR)

bool share_start(struct vm *vm, u64 second)
{
	static bool (*const written[UART_SHARED])(struct vcpu *, const struct pio_access *, u32,
						  u8 *) = {
		[UART_DATA] = DATA_written, [UART_IER] = IER_written, [UART_IIR] = IIR_written,
		[UART_LCR] = LCR_written,   [UART_MCR] = MCR_written, [UART_LSR] = LSR_written,
		[UART_MSR] = MSR_written,
	};

	uart.in = read_register;
	uart.out = write_register;
	uart.now = rdtsc;
	uart.second = second;
	for (unsigned i = 0; i < UART_SHARED; i++)
		if (watch_port(to_vm0(vm), &(struct port_watch){.port = (u16)(SERIAL_COM1 + i),
								.written = written[i],
								.read = guest_reads}))
			return false;
	return true;
}

/* ---- The log ---- */

static void log_write(const char *s, size_t n)
{
	spin_lock(&lock);
	shared_uart_log(&uart, s, n);
	spin_unlock(&lock);
}

static void log_flush(void)
{
	spin_lock(&lock);
	shared_uart_end(&uart);
	spin_unlock(&lock);
}

void share_enter(void)
{
	shared_uart_init(&uart);
	console_share_com1(log_write, log_flush);
}

void share_leave(void)
{
	console_share_com1(NULL, NULL);
	log_flush();
}

/* ---- The monitor ---- */

bool share_beat(void)
{
	u64 now = rdtsc();
	bool held;

	spin_lock(&lock);
	if (now - last_beat > uart.second / BEATS_HZ) {
		last_beat = now;
		shared_uart_beat(&uart);
	}
	held = shared_uart_hold(&uart);
	spin_unlock(&lock);
	return held;
}

bool share_is_left(void)
{
	return !__atomic_load_n(&uart.to_monitor, __ATOMIC_RELAXED);
}

bool share_drains(void)
{
	return __atomic_load_n(&uart.drains, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&uart.held, __ATOMIC_RELAXED);
}

void share_release(void)
{
	spin_lock(&lock);
	if (!shared_uart_calls(&uart))
		shared_uart_release(&uart);
	spin_unlock(&lock);
}

void share_raw(bool raw)
{
	spin_lock(&lock);
	uart.raw = raw;
	spin_unlock(&lock);
}

int share_receive(void)
{
	int byte;

	spin_lock(&lock);
	byte = shared_uart_receive(&uart);
	if (byte >= 0 && uart.lost)
		byte |= SERIAL_LOST;
	if (byte >= 0)
		uart.lost = false;
	spin_unlock(&lock);
	return byte;
}

void share_send(const char *s, size_t n)
{
	spin_lock(&lock);
	shared_uart_send(&uart, s, n);
	spin_unlock(&lock);
}
