// SPDX-License-Identifier: GPL-2.0
/* Draws a heat map as SVG: time to the right, addresses upwards, colours for heat. */
#include "heatmap.h"

#include <inttypes.h>

#include "demeterctl.h"

/* Size of the plot and of the margins around it, in pixels. */
#define WIDTH  720
#define HEIGHT 480
#define LEFT   150
#define RIGHT  130
#define TOP    40
#define BOTTOM 50

#define TICKS	     8
#define LEGEND_STEPS 48

struct colour {
	int red, green, blue;
};

/* Returns the colour of a shade from 0 to 1: dark blue, purple, red, orange, light yellow. */
static struct colour colour_of(double shade)
{
	static const struct colour stops[] = {
		{ 32, 20, 90 },	  { 115, 30, 125 },  { 205, 60, 80 },
		{ 245, 145, 35 }, { 255, 250, 170 },
	};
	const double at = shade * (ARRAY_SIZE(stops) - 1);
	const size_t stop = at < ARRAY_SIZE(stops) - 2 ? at : ARRAY_SIZE(stops) - 2;
	const struct colour a = stops[stop], b = stops[stop + 1];
	const double part = at - stop;

	return (struct colour){
		a.red + part * (b.red - a.red),
		a.green + part * (b.green - a.green),
		a.blue + part * (b.blue - a.blue),
	};
}

static void draw_box(FILE *out, double x, double y, double width, double height, double shade)
{
	const struct colour c = colour_of(shade);

	fprintf(out,
		"<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
		"fill=\"#%02x%02x%02x\"/>\n",
		x, y, width, height, c.red, c.green, c.blue);
}

/* Returns the height at which an offset is drawn. */
static double y_of(const struct heatmap *map, uint64_t offset)
{
	return TOP + HEIGHT * (1 - (double)offset / map->bytes);
}

static void draw_ranges(const struct heatmap *map, const struct scale *scale, double seconds,
			FILE *out)
{
	for (size_t i = 0; i < map->nr_snapshots; i++) {
		const struct snapshot *s = &map->snapshots[i];
		const double end_s = i + 1 < map->nr_snapshots ? s[1].time_s : seconds;

		for (size_t k = 0; k < s->ranges.nr; k++) {
			const struct range *r = &s->ranges.list[k];
			const uint64_t offset = heatmap_offset(map, r->start);
			const double top = y_of(map, offset + (r->end - r->start));

			if (r->samples)
				draw_box(out, LEFT + WIDTH * s->time_s / seconds, top,
					 WIDTH * (end_s - s->time_s) / seconds,
					 y_of(map, offset) - top,
					 scale_shade(scale, range_density(r)));
		}
	}
}

/* Finds a step of 1, 2 or 5 times a power of ten, so that there are at most TICKS. */
static double tick_of(double seconds)
{
	static const double factors[] = { 2, 2.5, 2 };
	double tick = 0.01;

	for (size_t i = 0; seconds / tick > TICKS; i++)
		tick *= factors[i % ARRAY_SIZE(factors)];
	return tick;
}

static void draw_axes(const struct heatmap *map, double seconds, FILE *out)
{
	const double tick = tick_of(seconds);

	for (int i = 0; i * tick <= seconds; i++) {
		const double x = LEFT + WIDTH * i * tick / seconds;

		fprintf(out,
			"<path d=\"M%.2f %d v5\" stroke=\"black\"/>\n"
			"<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
			x, TOP + HEIGHT, x, TOP + HEIGHT + 18, i * tick);
	}
	for (int i = 0; i <= TICKS; i++) {
		const uint64_t offset = map->bytes / TICKS * i;
		const double y = y_of(map, offset);

		fprintf(out,
			"<path d=\"M%d %.2f h-5\" stroke=\"black\"/>\n"
			"<text x=\"%d\" y=\"%.2f\" text-anchor=\"end\">%" PRIx64 "</text>\n",
			LEFT, y, LEFT - 8, y + 4, heatmap_address(map, offset));
	}
	/* gaps between areas that are left out */
	for (size_t i = 1; i < map->nr_areas; i++)
		fprintf(out,
			"<path d=\"M%d %.2f h%d\" stroke=\"white\" stroke-dasharray=\"4 4\"/>\n",
			LEFT, y_of(map, map->areas[i].offset), WIDTH);
	fprintf(out,
		"<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">seconds</text>\n"
		"<text x=\"%d\" y=\"%d\" text-anchor=\"end\">address</text>\n",
		LEFT + WIDTH / 2, TOP + HEIGHT + 40, LEFT - 8, TOP - 14);
}

static void draw_legend(const struct scale *scale, FILE *out)
{
	const int x = LEFT + WIDTH + 20, height = HEIGHT / 2;
	const double step = (double)height / LEGEND_STEPS;

	for (int i = 0; i < LEGEND_STEPS; i++)
		draw_box(out, x, TOP + height - (i + 1) * step, 16, step, i / (LEGEND_STEPS - 1.0));
	fprintf(out,
		"<text x=\"%d\" y=\"%d\">%.3g</text>\n"
		"<text x=\"%d\" y=\"%d\">%.3g</text>\n"
		"<text x=\"%d\" y=\"%d\">samples per MiB</text>\n",
		x + 22, TOP + 10, scale->hottest * (1 << 20), x + 22, TOP + height,
		scale->coldest * (1 << 20), x, TOP - 14);
}

void heatmap_draw(const struct heatmap *map, FILE *out)
{
	const double seconds = map->snapshots[map->nr_snapshots - 1].time_s + map->interval_s;
	struct scale scale = { 0 };

	for (size_t i = 0; i < map->nr_snapshots; i++)
		for (size_t k = 0; k < map->snapshots[i].ranges.nr; k++)
			scale_add(&scale, range_density(&map->snapshots[i].ranges.list[k]));

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\" font-size=\"12\" shape-rendering=\"crispEdges\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		"<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"14\">"
		"Heat of process %d</text>\n"
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
		LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM, LEFT + WIDTH / 2, TOP - 14, map->pid,
		LEFT, TOP, WIDTH, HEIGHT);
	draw_ranges(map, &scale, seconds, out);
	draw_axes(map, seconds, out);
	draw_legend(&scale, out);
	fprintf(out, "</svg>\n");
}
