/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the profile of access costs by page. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "profile.h"

#define PAGE 4096ull

static char *path;

static struct tmem_profile *make(void)
{
    struct tmem_profile *p;
    char error[160];

    p = tmem_profile_open(path, error, sizeof(error));
    g_assert_nonnull(p);
    return p;
}

/* Close @p and read its file. Returns *@n records, which the caller frees. */
static struct tmem_profile_record *records(struct tmem_profile *p, size_t *n)
{
    char *content;

    g_assert_true(tmem_profile_close(p));
    g_assert_true(g_file_get_contents(path, &content, n, NULL));
    g_assert_cmpuint(*n % sizeof(struct tmem_profile_record), ==, 0);
    *n /= sizeof(struct tmem_profile_record);
    return (struct tmem_profile_record *)content;
}

static void test_sums_by_page_most_costly_first(void)
{
    struct tmem_profile *p = make();
    g_autofree struct tmem_profile_record *r = NULL;
    size_t n;

    tmem_profile_begin(p);
    tmem_profile_add(p, 5 * PAGE, 10);
    tmem_profile_add(p, 7 * PAGE + 8, 20);
    tmem_profile_add(p, 7 * PAGE + PAGE - 1, 30);
    tmem_profile_add(p, 9 * PAGE, 10);
    tmem_profile_end(p);
    r = records(p, &n);
    g_assert_cmpuint(n, ==, 3);
    g_assert_cmphex(r[0].page, ==, 7 * PAGE);
    g_assert_cmpuint(r[0].stall_ps, ==, 50);
    g_assert_cmphex(r[1].page, ==, 5 * PAGE);
    g_assert_cmphex(r[2].page, ==, 9 * PAGE);
    g_assert_cmpuint(r[2].stall_ps, ==, 10);
}

static void test_region_of_interest(void)
{
    struct tmem_profile *p = make();
    g_autofree struct tmem_profile_record *r = NULL;
    size_t n;

    tmem_profile_add(p, 1 * PAGE, 1);
    tmem_profile_begin(p);
    tmem_profile_add(p, 2 * PAGE, 1);
    tmem_profile_end(p);
    tmem_profile_add(p, 3 * PAGE, 1);
    tmem_profile_begin(p);
    tmem_profile_add(p, 4 * PAGE, 1);
    tmem_profile_end(p);
    tmem_profile_add(p, 4 * PAGE, 1);
    r = records(p, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmphex(r[0].page, ==, 4 * PAGE);
    g_assert_cmpuint(r[0].stall_ps, ==, 1);
}

static void test_guest_that_ends_within(void)
{
    struct tmem_profile *p = make();
    g_autofree struct tmem_profile_record *r = NULL;
    size_t n;

    tmem_profile_begin(p);
    tmem_profile_add(p, PAGE, 3);
    r = records(p, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpuint(r[0].stall_ps, ==, 3);
}

static void test_processes_only(void)
{
    struct tmem_profile *p = make();
    g_autofree struct tmem_profile_record *r = NULL;
    size_t n;

    tmem_profile_begin(p);
    tmem_profile_add(p, 0xffff888000000000, 100);
    tmem_profile_add(p, 0xffffffffff600000, 100);
    tmem_profile_add(p, 0x7fffffffe000, 1);
    r = records(p, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmphex(r[0].page, ==, 0x7fffffffe000);
}

static void test_without_a_region(void)
{
    struct tmem_profile *p = make();
    g_autofree struct tmem_profile_record *r = NULL;
    size_t n;

    tmem_profile_add(p, PAGE, 3);
    r = records(p, &n);
    g_assert_cmpuint(n, ==, 0);
}

/*
 * Compare the sums with those of GLib's table, for pages of several strides and
 * for so many pages that the table has to grow several times.
 */
static void test_many_pages(void)
{
    g_autoptr(GHashTable) sums = g_hash_table_new(NULL, NULL);
    g_autofree struct tmem_profile_record *r = NULL;
    struct tmem_profile *p = make();
    GRand *random = g_rand_new_with_seed(1);
    size_t n;

    tmem_profile_begin(p);
    for (unsigned int i = 0; i < 300000; i++) {
        const uint64_t page = (1 + g_rand_int_range(random, 0, 50000)) * PAGE
                              << (i % 3 * 8);
        const uint64_t stall = g_rand_int_range(random, 1, 200000);
        gpointer key = (gpointer)page, sum = g_hash_table_lookup(sums, key);

        tmem_profile_add(p, page + i % PAGE, stall);
        g_hash_table_insert(sums, key, (gpointer)((uint64_t)sum + stall));
    }
    g_rand_free(random);
    r = records(p, &n);
    g_assert_cmpuint(n, ==, g_hash_table_size(sums));
    g_assert_cmpuint(n, >, 100000);
    for (size_t i = 0; i < n; i++) {
        g_assert_cmpuint(
            (uint64_t)g_hash_table_lookup(sums, (gpointer)r[i].page), ==,
            r[i].stall_ps);
        g_assert_true(!i || r[i].stall_ps <= r[i - 1].stall_ps);
    }
}

static void test_no_such_folder(void)
{
    char error[160];

    g_assert_null(
        tmem_profile_open("/proc/nonexistent/profile", error, sizeof(error)));
    g_assert_true(g_str_has_prefix(error, "/proc/nonexistent/profile: "));
    g_assert_null(strchr(error, '\n'));
}

static void test_full_disk(void)
{
    char error[160];
    struct tmem_profile *p;
    g_autofree char *link = g_strconcat(path, ".full", NULL);

    /* the profile removes its path: a link, lest it remove the device */
    g_assert_cmpint(symlink("/dev/full", link), ==, 0);
    p = tmem_profile_open(link, error, sizeof(error));
    g_assert_nonnull(p);
    tmem_profile_begin(p);
    tmem_profile_add(p, PAGE, 1);
    g_assert_false(tmem_profile_close(p));
    g_assert_false(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
}

static void test_none(void)
{
    g_assert_true(tmem_profile_close(NULL));
}

int main(int argc, char **argv)
{
    int fd = g_file_open_tmp("test-profile-XXXXXX", &path, NULL);
    int status;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile/sums", test_sums_by_page_most_costly_first);
    g_test_add_func("/profile/region-of-interest", test_region_of_interest);
    g_test_add_func("/profile/ends-within", test_guest_that_ends_within);
    g_test_add_func("/profile/processes-only", test_processes_only);
    g_test_add_func("/profile/without-a-region", test_without_a_region);
    g_test_add_func("/profile/many-pages", test_many_pages);
    g_test_add_func("/profile/no-such-folder", test_no_such_folder);
    g_test_add_func("/profile/full-disk", test_full_disk);
    g_test_add_func("/profile/none", test_none);
    status = g_test_run();
    g_unlink(path);
    g_free(path);
    return status;
}
