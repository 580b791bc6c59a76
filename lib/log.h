/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor says. Every line goes to the ring in RAM and to the consoles that are ours at
 * the time (see drivers/console.h). Unit tests supply a printk of their own.
 */
#ifndef GH_LOG_H
#define GH_LOG_H

#include "bits.h"

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Print @fmt at @level, as it is: the caller ends the line with \n. Callable on any CPU, at any
 * time. */
void printk(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define pr_err(...)   printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)  printk(LOG_WARN, __VA_ARGS__)
#define pr_info(...)  printk(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) printk(LOG_DEBUG, __VA_ARGS__)

/*
 * For what a guest can cause at will: the first 10 of each place are printed, then every power of
 * two, with the count, so that a storm costs little and is still seen.
 */
#define pr_warn_ratelimited(fmt, ...)                                      \
	do {                                                               \
		static u64 times_;                                         \
		u64 n_ = __atomic_add_fetch(&times_, 1, __ATOMIC_RELAXED); \
		if (n_ <= 10)                                              \
			pr_warn(fmt "\n", ##__VA_ARGS__);                  \
		else if ((n_ & (n_ - 1)) == 0)                             \
			pr_warn(fmt " (%lu times)\n", ##__VA_ARGS__, n_);  \
	} while (0)

/* Print @fmt and a report on every console, then stop for good. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/*
 * Prints the report for panic() and never returns. @text: what panic() was given; @rsp: where the
 * caller's stack begins. Set by report_init() (report/); NULL: the text is all there is.
 */
extern void (*panic_handler)(const char *text, u64 rsp);

#define BUG_ON(cond)                                                                        \
	do {                                                                                \
		if (unlikely(cond))                                                         \
			panic("%s:%d: %s: \"%s\" must not be true: a defect of Glasshouse", \
			      __FILE__, __LINE__, __func__, #cond);                         \
	} while (0)

#endif
