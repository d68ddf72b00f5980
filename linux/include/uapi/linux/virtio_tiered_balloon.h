/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * What the driver of the tiered balloon and its device say to each other.
 *
 * The device tells for each guest node how many pages its balloon is to hold. The driver
 * takes free pages of that very node out of use, names them to the device, which gives
 * their memory back to the host, and asks for them when it wants to use them again.
 *
 * A device offers no feature bits of its own, since a hypervisor that does not know it
 * would not pass them on: what it can do is in its configuration, and the driver says in
 * hello what it takes of that. No target travels through the configuration, which does
 * not change; targets are events.
 *
 * All numbers are little endian. Pages are those of 4 KiB whatever the guest's are, frames
 * are guest physical addresses divided by that.
 */
#ifndef _UAPI_LINUX_VIRTIO_TIERED_BALLOON_H
#define _UAPI_LINUX_VIRTIO_TIERED_BALLOON_H

#include <linux/types.h>

/*
 * The ID that the virtio specification reserves as "memory balloon" and describes nowhere: no
 * device and no driver uses it. QEMU attaches no device with an ID that has no name there.
 */
#define VIRTIO_ID_TIERED_BALLOON 13

#define VIRTIO_TB_MAGIC	     0x4c425444 /* "DTBL" */
#define VIRTIO_TB_VERSION    1
#define VIRTIO_TB_MAX_NODES  15 /* QEMU passes on at most 256 bytes of configuration */
#define VIRTIO_TB_PAGE_SHIFT 12

/* Capabilities: those of the device in its configuration, those taken in hello. */
#define VIRTIO_TB_CAP_STATISTICS     0x1 /* the device asks for statistics */
#define VIRTIO_TB_CAP_FREE_REPORTING 0x2 /* free pages may be reported */
#define VIRTIO_TB_CAP_DEFLATE_ON_OOM 0x4 /* the driver may deflate before it is asked */

/**
 * struct virtio_tb_config_node - A guest node that the device provisions
 * @pxm:	Its ACPI proximity domain; the guest's own numbers may differ.
 * @reserved:	0.
 * @pages:	Its pages, with those in the balloon.
 */
struct virtio_tb_config_node {
	__le32 pxm;
	__le32 reserved;
	__le64 pages;
};

/**
 * struct virtio_tb_config - Configuration space; constant
 * @magic:	VIRTIO_TB_MAGIC.
 * @version:	VIRTIO_TB_VERSION.
 * @capabilities: VIRTIO_TB_CAP_*.
 * @nodes:	How many entries of @node are valid, 1 to VIRTIO_TB_MAX_NODES. Requests,
 *		events and statistics number the nodes by their place in here.
 * @node:	The nodes; 0 beyond @nodes.
 */
struct virtio_tb_config {
	__le32 magic;
	__le32 version;
	__le32 capabilities;
	__le32 nodes;
	struct virtio_tb_config_node node[VIRTIO_TB_MAX_NODES];
};

/* Queues, in this order. */
enum virtio_tb_queue {
	VIRTIO_TB_REQUESTS, /* driver to device, answered in order */
	VIRTIO_TB_EVENTS, /* buffers of struct virtio_tb_event that the device fills */
	VIRTIO_TB_STATISTICS, /* driver to device: struct virtio_tb_statistics */
	VIRTIO_TB_NR_QUEUES,
};

/*
 * Requests. A request is one chain of descriptors: struct virtio_tb_request with its
 * payload, which the device reads, then struct virtio_tb_response with one byte per range,
 * which it writes. How these are cut into descriptors does not matter.
 */
enum virtio_tb_request_type {
	/*
	 * The first request of a driver, and the first after the event of that name.
	 * Payload: struct virtio_tb_hello. The device answers VIRTIO_TB_RESYNC if it knows of
	 * other pages than those that the driver says it holds: then it has forgotten all,
	 * and the driver inflates all that it holds once more. After the answer it sends the
	 * target of every node.
	 */
	VIRTIO_TB_HELLO = 1,
	/*
	 * These pages are not used any more; their content is lost. Payload: ranges. It is no
	 * error if some are in the balloon already; they are not counted twice, but their
	 * memory is given back once more, since they may have been used meanwhile.
	 * The device discards only what this request names.
	 */
	VIRTIO_TB_INFLATE = 2,
	/*
	 * These pages will be used again, with any content, as soon as this was answered.
	 * Payload: ranges. It is no error if some are not in the balloon.
	 */
	VIRTIO_TB_DEFLATE = 3,
	/*
	 * These pages are free at the moment; their content is lost. They do not become part
	 * of the balloon, and are used again without a word. Payload: ranges.
	 */
	VIRTIO_TB_REPORT_FREE = 4,
};

#define VIRTIO_TB_MAX_RANGES 256 /* of one request */

/**
 * struct virtio_tb_request - Head of a request
 * @type:	enum virtio_tb_request_type.
 * @node:	Node that all ranges lie in. 0 in hello.
 * @count:	Ranges that follow, 1 to VIRTIO_TB_MAX_RANGES; in hello the nodes of the
 *		configuration.
 */
struct virtio_tb_request {
	__le16 type;
	__le16 node;
	__le32 count;
};

/**
 * struct virtio_tb_range - Pages that follow each other
 * @frame:	The first.
 * @pages:	How many, at least 1.
 * @reserved:	0.
 */
struct virtio_tb_range {
	__le64 frame;
	__le32 pages;
	__le32 reserved;
};

/**
 * struct virtio_tb_hello - Payload of hello
 * @version:	VIRTIO_TB_VERSION of the driver; at most that of the device.
 * @capabilities: Those of the device that the driver takes.
 * @ballooned:	For each node of the configuration the pages in its balloon.
 */
struct virtio_tb_hello {
	__le32 version;
	__le32 capabilities;
	__le64 ballooned[];
};

/* Statuses of a request, and of each of its ranges */
enum virtio_tb_status {
	VIRTIO_TB_OK = 0,
	VIRTIO_TB_RESYNC = 1, /* hello: inflate all that you hold once more */
	VIRTIO_TB_BAD_REQUEST = 2, /* unknown type, wrong length, count or version */
	VIRTIO_TB_BAD_NODE = 3, /* the configuration has no such node */
	VIRTIO_TB_BAD_RANGE = 4, /* empty, or not within the node */
	VIRTIO_TB_REFUSED = 5, /* a capability that was not taken */
	/* The host could not do it: the balloon is as it was, content of the ranges may be lost. */
	VIRTIO_TB_FAILED = 6,
};

/**
 * struct virtio_tb_response - What the device says to a request
 * @status:	enum virtio_tb_status: OK if all ranges are, else the first other of theirs, or
 *		what was wrong with the whole.
 * @ranges:	Statuses of ranges that follow; 0 if the request was not understood so far.
 * @ballooned:	Pages in the balloon of the request's node thereafter; 0 in hello.
 */
struct virtio_tb_response {
	__le32 status;
	__le32 ranges;
	__le64 ballooned;
};

/* Events, each in a buffer of the queue of that name. */
enum virtio_tb_event_type {
	VIRTIO_TB_EVENT_TARGET = 1, /* @value pages are to be in the balloon of @node */
	VIRTIO_TB_EVENT_STATISTICS = 2, /* send statistics */
	VIRTIO_TB_EVENT_DEFLATE = 3, /* the device goes away: deflate all */
	VIRTIO_TB_EVENT_HELLO = 4, /* the device has come back: say hello again */
};

/**
 * struct virtio_tb_event - What the device tells
 * @type:	enum virtio_tb_event_type.
 * @node:	Node that it is about, or 0.
 * @reserved:	0.
 * @value:	See there.
 */
struct virtio_tb_event {
	__le16 type;
	__le16 node;
	__le32 reserved;
	__le64 value;
};

/**
 * struct virtio_tb_heat - A point of the curve of heat
 * @pages:	That many pages of the guest are at least that hot. Ascending.
 * @heat:	Accesses per second that miss all caches, to each of these pages, times 1024.
 *		Descending.
 */
struct virtio_tb_heat {
	__le64 pages;
	__le64 heat;
};

/**
 * struct virtio_tb_node_statistics - State of a node
 * @total:	Pages that the guest can use, without those in the balloon.
 * @free:	Pages of @total that are free.
 * @ballooned:	Pages in the balloon.
 * @target:	Pages that are to be in the balloon.
 * @cache:	Pages of files.
 * @evacuated:	Pages moved away by the balloon, since the driver was loaded.
 */
struct virtio_tb_node_statistics {
	__le64 total;
	__le64 free;
	__le64 ballooned;
	__le64 target;
	__le64 cache;
	__le64 evacuated;
};

#define VIRTIO_TB_HEAT_POINTS 16

/**
 * struct virtio_tb_statistics - State of the guest
 * @nodes:	How many entries of @node follow; those of the configuration.
 * @heat_points: How many entries of @heat are valid; none if nobody knows what is hot.
 * @psi_some_us: Time in which some task waited for memory, since the guest was booted.
 * @psi_full_us: Time in which all tasks did.
 * @reclaimed:	Pages reclaimed since then, by kswapd or directly.
 * @swapped_out: Pages written to swap since then.
 * @major_faults: Faults that had to read since then.
 * @oom_kills:	Tasks killed for lack of memory since then.
 * @promoted:	Pages moved to fast memory because they are hot, since then.
 * @demoted:	Pages moved to slow memory because they are cold, since then.
 * @heat:	What one more page of fast memory is worth to this guest: the heat of the page
 *		that would be in it. First come pages of the kernel that fast memory has anyway,
 *		as hot as the hottest, then those that Demeter manages; no others.
 * @node:	State of each node.
 */
struct virtio_tb_statistics {
	__le32 nodes;
	__le32 heat_points;
	__le64 psi_some_us;
	__le64 psi_full_us;
	__le64 reclaimed;
	__le64 swapped_out;
	__le64 major_faults;
	__le64 oom_kills;
	__le64 promoted;
	__le64 demoted;
	struct virtio_tb_heat heat[VIRTIO_TB_HEAT_POINTS];
	struct virtio_tb_node_statistics node[];
};

#endif /* _UAPI_LINUX_VIRTIO_TIERED_BALLOON_H */
