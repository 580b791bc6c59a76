/* SPDX-License-Identifier: MIT */
/*
 * The VMX capability MSRs of every CPU model of Bochs 2.7 with VMX, read by a guest in Bochs.
 */
#ifndef GH_TEST_VMX_MODELS_H
#define GH_TEST_VMX_MODELS_H

#include "types.h"
#include "bits.h"

/* The model does not have this MSR: RDMSR causes #GP. */
#define NO_MSR (~0ull)

struct vmx_model {
	const char *name;
	u64 feature_control; /* 3AH */
	u64 vmx[20];         /* 480H to 493H */
};

static const struct vmx_model vmx_models[] = {
	{"core2_penryn_t9600", 0x5, {0xd810000000002b, 0x3f00000016,   0xf7f9fffe0401e172,
				     0x3ffff00036dff,  0x3fff000011ff, 0x401e0,
				     0x80000021,       0xffffffff,     0x2000,
				     0x467ff,          0x34,           0x4100000000,
				     NO_MSR,           0x3f00000016,   0xf7f9fffe04006172,
				     0x3ffff00036dfb,  0x3fff000011fb, NO_MSR,
				     NO_MSR,           NO_MSR}},
	{"corei5_lynnfield_750", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
				       0x7fffff00036dff, 0xffff000011ff, 0x401e0,
				       0x80000021,       0xffffffff,     0x2000,
				       0x67ff,           0x34,           0x7f00000000,
				       0xf0106114141,    0x7f00000016,   0xf7f9fffe04006172,
				       0x7fffff00036dfb, 0xffff000011fb, NO_MSR,
				       NO_MSR,           NO_MSR}},
	{"corei5_arrandale_m520", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
					0x7fffff00036dff, 0xffff000011ff, 0x401e0,
					0x80000021,       0xffffffff,     0x2000,
					0x67ff,           0x34,           0xff00000000,
					0xf0106114141,    0x7f00000016,   0xf7f9fffe04006172,
					0x7fffff00036dfb, 0xffff000011fb, NO_MSR,
					NO_MSR,           NO_MSR}},
	{"corei7_sandy_bridge_2600k", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
					    0x7fffff00036dff, 0xffff000011ff, 0x401e0,
					    0x80000021,       0xffffffff,     0x2000,
					    0x627ff,          0x34,           0xff00000000,
					    0xf0106114141,    0x7f00000016,   0xf7f9fffe04006172,
					    0x7fffff00036dfb, 0xffff000011fb, NO_MSR,
					    NO_MSR,           NO_MSR}},
	{"corei7_ivy_bridge_3770k", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
					  0x7fffff00036dff, 0xffff000011ff, 0x401e0,
					  0x80000021,       0xffffffff,     0x2000,
					  0x1727ff,         0x34,           0x8ff00000000,
					  0xf0106114141,    0x7f00000016,   0xf7f9fffe04006172,
					  0x7fffff00036dfb, 0xffff000011fb, NO_MSR,
					  NO_MSR,           NO_MSR}},
	{"corei7_haswell_4770", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
				      0x7fffff00036dff, 0xffff000011ff, 0x200401e0,
				      0x80000021,       0xffffffff,     0x2000,
				      0x1727ff,         0x34,           0x47fff00000000,
				      0xf0106334141,    0x7f00000016,   0xf7f9fffe04006172,
				      0x7fffff00036dfb, 0xffff000011fb, 0x1,
				      NO_MSR,           NO_MSR}},
	{"broadwell_ult", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
				0x7fffff00036dff, 0xffff000011ff, 0x200401e0,
				0x80000021,       0xffffffff,     0x2000,
				0x3727ff,         0x34,           0x57fff00000000,
				0xf0106334141,    0x7f00000016,   0xf7f9fffe04006172,
				0x7fffff00036dfb, 0xffff000011fb, 0x1,
				NO_MSR,           NO_MSR}},
	{"corei7_skylake_x", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
				   0x7fffff00036dff, 0xffff000011ff, 0x600401e0,
				   0x80000021,       0xffffffff,     0x2000,
				   0x3727ff,         0x34,           0x2177fff00000000,
				   0xf0106334141,    0x7f00000016,   0xf7f9fffe04006172,
				   0x7fffff00036dfb, 0xffff000011fb, 0x1,
				   NO_MSR,           NO_MSR}},
	{"corei3_cnl", 0x5, {0xd810000000002b, 0x7f00000016,   0xf7f9fffe0401e172,
			     0x7fffff00036dff, 0xffff000011ff, 0x600401e0,
			     0x80000021,       0xffffffff,     0x2000,
			     0x772fff,         0x34,           0x2157cff00000000,
			     0xf0106334141,    0x7f00000016,   0xf7f9fffe04006172,
			     0x7fffff00036dfb, 0xffff000011fb, 0x1,
			     NO_MSR,           NO_MSR}},
	{"corei7_icelake_u", 0x5, {0xd8100000000004, 0x7f00000016,   0xfff9fffe0401e172,
				   0x7fffff00036dff, 0xffff000011ff, 0x600401e0,
				   0x80000021,       0xffffffff,     0x2000,
				   0x772fff,         0x34,           0x2977fff00000000,
				   0xf0106334141,    0x7f00000016,   0xfff9fffe04006172,
				   0x7fffff00036dfb, 0xffff000011fb, 0x1,
				   NO_MSR,           NO_MSR}},
	{"tigerlake",
	 0x5,
	 {0x1d8100000000004,
	  0x7f00000016,
	  0xfff9fffe0401e172,
	  0x107fffff00036dff,
	  0x10ffff000011ff,
	  0x600401e0,
	  0x80000021,
	  0xffffffff,
	  0x2000,
	  0xf72fff,
	  0x34,
	  0x2977fff00000000,
	  0xf0106b34141,
	  0x7f00000016,
	  0xfff9fffe04006172,
	  0x107fffff00036dfb,
	  0x10ffff000011fb,
	  0x1,
	  NO_MSR,
	  NO_MSR}},
	{"bx_generic", 0x5, {0xd810000000002b, 0x3f00000016,   0xf7f9fffe0401e172,
			     0x3efff00036dff,  0x1fff000011ff, 0x401e0,
			     0x80000021,       0xffffffff,     0x2000,
			     0x27ff,           0x34,           0x4900000000,
			     NO_MSR,           0x3f00000016,   0xf7f9fffe04006172,
			     0x3efff00036dfb,  0x1fff000011fb, NO_MSR,
			     NO_MSR,           NO_MSR}},
};

#define NR_VMX_MODELS ARRAY_SIZE(vmx_models)

#endif
