/* SPDX-License-Identifier: MIT */
/*
 * The log. Every line goes to the ring in RAM and to the consoles that Glasshouse uses at the time
 * (see drivers/console.h). Unit tests supply their own printk().
 */
#ifndef GH_LOG_H
#define GH_LOG_H

#include "bits.h"

/* In descending order of importance: console_set_level() compares them. */
enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/*
 * Print @fmt (see lib/print.h) at @level. Adds no prefix and no newline: the caller ends the line
 * with \n. Cuts the text at 511 characters. Any CPU may call it at any time, except in an NMI
 * handler: it takes a lock.
 */
void printk(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define pr_err(...)   printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)  printk(LOG_WARN, __VA_ARGS__)
#define pr_info(...)  printk(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) printk(LOG_DEBUG, __VA_ARGS__)

/*
 * For messages that a guest can cause as often as it likes. Each place that uses these macros
 * prints its first 10 messages, and from then on only those whose number is a power of two, with
 * that number. They add the newline.
 */
#define pr_ratelimited(pr, fmt, ...)                                       \
	do {                                                               \
		static u64 times_;                                         \
		u64 n_ = __atomic_add_fetch(&times_, 1, __ATOMIC_RELAXED); \
		if (n_ <= 10)                                              \
			pr(fmt "\n", ##__VA_ARGS__);                       \
		else if ((n_ & (n_ - 1)) == 0)                             \
			pr(fmt " (%lu times)\n", ##__VA_ARGS__, n_);       \
	} while (0)

#define pr_warn_ratelimited(...) pr_ratelimited(pr_warn, __VA_ARGS__)
#define pr_info_ratelimited(...) pr_ratelimited(pr_info, __VA_ARGS__)

/*
 * Print the message @fmt and a report of the state of host and guest on every console, then halt
 * the machine, or reset it (option panic=).
 */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/*
 * Prints the report for panic() and never returns. @text: the formatted message; @rsp: where the
 * caller's stack begins. report_init() (report/) sets it; while it is NULL, panic() prints only the
 * message and halts this CPU.
 */
extern void (*panic_handler)(const char *text, u64 rsp);

/* Panic if @cond is true. */
#define BUG_ON(cond)                                                                        \
	do {                                                                                \
		if (unlikely(cond))                                                         \
			panic("%s:%d: %s: \"%s\" must not be true: a defect of Glasshouse", \
			      __FILE__, __LINE__, __func__, #cond);                         \
	} while (0)

#endif
