/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the plugin's option parsing. */
#include <glib.h>
#include <string.h>

#include "options.h"

#define TIERS \
    "tier=fast:68.7:70:88157:80000:dram", "tier=slow:176.6:180:21415:7000:pmem"
#define MAPS "map=0:0x0:64M", "map=1:0x4000000:0x4000000"

static bool parse(struct tmem_options *o, char *error, size_t len,
                  const char *const *argv)
{
    return tmem_options_parse(o, g_strv_length((char **)argv), (char **)argv,
                              error, len);
}

static void test_accepted(void)
{
    static const char *const argv[] = { TIERS,
                                        MAPS,
                                        "cache=4M",
                                        "ways=8",
                                        "mlp=2.5",
                                        "streams=0",
                                        "report=/tmp/x",
                                        "interval=10",
                                        "l3=20.5",
                                        "profile=/tmp/y",
                                        "tlb=on",
                                        "tlb1=32:16:2",
                                        "tlb2=1536:12:3",
                                        "psc=16:0:1",
                                        "pte=18",
                                        NULL };
    struct tmem_options o;
    char error[160];

    g_assert_true(parse(&o, error, sizeof(error), argv));
    g_assert_cmpuint(o.model.ntiers, ==, 2);
    g_assert_cmpstr(o.model.tiers[1].name, ==, "slow");
    g_assert_cmpuint(o.model.tiers[0].read_ps, ==, 68700);
    g_assert_cmpuint(o.model.tiers[1].write_ps, ==, 180000);
    g_assert_cmpuint(o.model.tiers[1].write_mbps, ==, 7000);
    g_assert_cmpuint(o.model.ranges[1].base, ==, 64 << 20);
    g_assert_cmpuint(o.model.cache_size, ==, 4 << 20);
    g_assert_cmpuint(o.model.cache_ways, ==, 8);
    g_assert_cmpint(o.model.tiers[0].media, ==, TMEM_DRAM);
    g_assert_cmpint(o.model.tiers[1].media, ==, TMEM_PMEM);
    g_assert_cmpuint(o.model.l1_ps, ==, 1700);
    g_assert_cmpuint(o.model.l3_ps, ==, 20500);
    g_assert_cmpfloat(o.model.mlp, ==, 2.5);
    g_assert_cmpuint(o.model.streams, ==, 0);
    g_assert_cmpuint(o.interval_ps, ==, 10000000000ull);
    g_assert_cmpstr(o.report, ==, "/tmp/x");
    g_assert_cmpstr(o.profile, ==, "/tmp/y");
    g_assert_true(o.translate);
    g_assert_cmpuint(o.tlb.small.entries, ==, 32);
    g_assert_cmpuint(o.tlb.large.entries, ==, 16);
    g_assert_cmpuint(o.tlb.small.ways, ==, 2);
    g_assert_cmpuint(o.tlb.large.ways, ==, 2);
    g_assert_cmpuint(o.tlb.second.entries, ==, 1536);
    g_assert_cmpuint(o.tlb.second.ways, ==, 12);
    g_assert_cmpuint(o.tlb.second_ps, ==, 3000);
    g_assert_cmpuint(o.tlb.psc[0], ==, 16);
    g_assert_cmpuint(o.tlb.psc[1], ==, 0);
    g_assert_cmpuint(o.tlb.psc[2], ==, 1);
    g_assert_cmpuint(o.tlb.nested, ==, 16);
    g_assert_cmpuint(o.tlb.entry_ps, ==, 18000);
    g_assert_null(o.series);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",
        "x",
        "=",
        "x=1",
        "cache",
        "cache=",
        "cache=-1",
        "cache=1T",
        "cache=99999999999999999999",
        "cache=3M",
        "ways=0",
        "ways=1x",
        "line=7",
        "mlp=0",
        "mlp=x",
        "mlp=nan",
        "streams=1000",
        "interval=0",
        "interval=-5",
        "report=",
        "pause=2000",
        "filter=yes",
        "l1=2000",
        "l3=-1",
        "profile=",
        "trace=",
        "tlb=",
        "tlb=yes",
        "tlb1=64",
        "tlb1=64:32:4:1",
        "tlb1=64:32:x",
        "tlb1=60:32:4",
        "tlb1=64:0:4",
        "tlb2=2048:16",
        "tlb2=2000:16:2",
        "tlb2=2048:0:2",
        "tlb2=2048:16:-2",
        "tlb2=2048:16:2000",
        "psc=32:4",
        "psc=33:4:4",
        "psc=4096:4:4",
        "ntlb=-1",
        "ntlb=5",
        "pte=x",
        "pte=1001",
        "tier=",
        "tier=a:1:1:1",
        "tier=a:1:1:1:1",
        "tier=a:1:1:1:1:dram:1",
        "tier=a:1:1:1:1:tape",
        "tier=A:1:1:1:1:dram",
        "tier=:1:1:1:1:dram",
        "tier=a:x:1:1:1:dram",
        "tier=a:-1:1:1:1:dram",
        "tier=a:1:1:0:1:dram",
        "tier=a:1:1:inf:1:dram",
        "tier=a:nan:1:1:1:dram",
        "tier=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1:1:1:1:dram",
        "map=",
        "map=0:0:4K",
        "map=2:0x8000000:4K",
        "map=9:0:4K",
        "map=0:0x8000000:1",
        "map=0:0x8000000:0",
        "map=0:0x8000000",
    };

    for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *const argv[] = { TIERS, MAPS, bad[i], NULL };
        struct tmem_options o;
        char error[160] = "";

        if (parse(&o, error, sizeof(error), argv)) {
            g_test_message("accepted: \"%s\"", bad[i]);
            g_test_fail();
        }
        g_assert_cmpuint(strlen(error), >, 0);
        g_assert_null(strchr(error, '\n'));
    }
}

static void test_needs_tiers(void)
{
    static const char *const argv[] = { NULL };
    struct tmem_options o;
    char error[160];

    g_assert_false(parse(&o, error, sizeof(error), argv));
    g_assert_true(g_str_has_prefix(error, "tier"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/accepted", test_accepted);
    g_test_add_func("/options/refused", test_refused);
    g_test_add_func("/options/needs-tiers", test_needs_tiers);
    return g_test_run();
}
