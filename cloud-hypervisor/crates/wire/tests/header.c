// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The other side of header.rs: says what the header's numbers are, and reads its structs as
 * bytes. The compiler is given the header by -include.
 */
#include <stdio.h>
#include <string.h>

#define SAY(name)	      printf("%s %llu\n", #name, (unsigned long long)(VIRTIO_TB_##name))
#define SIZE(name)	      printf("sizeof_%s %zu\n", #name, sizeof(struct virtio_tb_##name))
#define FIELD(pointer, field) printf("%s %llu\n", #field, (unsigned long long)((pointer)->field))

static int constants(void)
{
	printf("VIRTIO_ID %d\n", VIRTIO_ID_TIERED_BALLOON);
	SAY(MAGIC);
	SAY(VERSION);
	SAY(MAX_NODES);
	SAY(PAGE_SHIFT);
	SAY(MAX_RANGES);
	SAY(HEAT_POINTS);
	SAY(CAP_STATISTICS);
	SAY(CAP_FREE_REPORTING);
	SAY(CAP_DEFLATE_ON_OOM);
	SAY(REQUESTS);
	SAY(EVENTS);
	SAY(STATISTICS);
	SAY(NR_QUEUES);
	SAY(HELLO);
	SAY(INFLATE);
	SAY(DEFLATE);
	SAY(REPORT_FREE);
	SAY(OK);
	SAY(RESYNC);
	SAY(BAD_REQUEST);
	SAY(BAD_NODE);
	SAY(BAD_RANGE);
	SAY(REFUSED);
	SAY(FAILED);
	SIZE(config);
	SIZE(config_node);
	SIZE(request);
	SIZE(range);
	SIZE(hello);
	SIZE(response);
	SIZE(event);
	SIZE(heat);
	SIZE(node_statistics);
	SIZE(statistics);
	return 0;
}

static void say_config(const struct virtio_tb_config *config)
{
	FIELD(config, magic);
	FIELD(config, version);
	FIELD(config, capabilities);
	FIELD(config, nodes);
	FIELD(config, node[0].pxm);
	FIELD(config, node[0].pages);
	FIELD(config, node[1].pxm);
	FIELD(config, node[1].pages);
	FIELD(config, node[2].pages);
}

static void say_event(const struct virtio_tb_event *event)
{
	FIELD(event, type);
	FIELD(event, node);
	FIELD(event, value);
}

static void say_request(const struct virtio_tb_request *request)
{
	FIELD(request, type);
	FIELD(request, node);
	FIELD(request, count);
}

static void say_ranges(const struct virtio_tb_request *request)
{
	const struct virtio_tb_range *range = (const void *)(request + 1);

	say_request(request);
	for (int i = 0; i < 2; i++) {
		FIELD(&range[i], frame);
		FIELD(&range[i], pages);
		FIELD(&range[i], reserved);
	}
}

static void say_hello(const struct virtio_tb_request *request)
{
	const struct virtio_tb_hello *hello = (const void *)(request + 1);

	say_request(request);
	FIELD(hello, version);
	FIELD(hello, capabilities);
	FIELD(hello, ballooned[0]);
	FIELD(hello, ballooned[1]);
}

static void say_response(const struct virtio_tb_response *response)
{
	const unsigned char *range = (const void *)(response + 1);

	FIELD(response, status);
	FIELD(response, ranges);
	FIELD(response, ballooned);
	printf("%d\n%d\n", range[0], range[1]);
}

static void say_statistics(const struct virtio_tb_statistics *s)
{
	FIELD(s, nodes);
	FIELD(s, heat_points);
	FIELD(s, psi_some_us);
	FIELD(s, psi_full_us);
	FIELD(s, reclaimed);
	FIELD(s, swapped_out);
	FIELD(s, major_faults);
	FIELD(s, oom_kills);
	FIELD(s, promoted);
	FIELD(s, demoted);
	FIELD(s, heat[0].pages);
	FIELD(s, heat[0].heat);
	FIELD(s, heat[1].pages);
	for (unsigned int i = 0; i < s->nodes; i++) {
		FIELD(s, node[i].total);
		FIELD(s, node[i].free);
		FIELD(s, node[i].ballooned);
		FIELD(s, node[i].target);
		FIELD(s, node[i].cache);
		FIELD(s, node[i].evacuated);
	}
}

/* header constants, or header STRUCT: reads that struct's bytes and says its fields. */
int main(int argc, char **argv)
{
	static _Alignas(8) char bytes[4096];

	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "constants"))
		return constants();
	if (!fread(bytes, 1, sizeof(bytes), stdin))
		return 1;
	if (!strcmp(argv[1], "config"))
		say_config((void *)bytes);
	else if (!strcmp(argv[1], "event"))
		say_event((void *)bytes);
	else if (!strcmp(argv[1], "ranges"))
		say_ranges((void *)bytes);
	else if (!strcmp(argv[1], "hello"))
		say_hello((void *)bytes);
	else if (!strcmp(argv[1], "response"))
		say_response((void *)bytes);
	else if (!strcmp(argv[1], "statistics"))
		say_statistics((void *)bytes);
	else
		return 2;
	return 0;
}
