# SPDX-License-Identifier: GPL-2.0-or-later
"""gups in the benchmark: sizes, command lines of its forms, what its tests run."""

from demeter_bench.workload import REPORT_MS, Size, Workload

HUGE = 2 << 20
# of forms: that each of eight processes has huge pages in its part, and ballast is some
LEAST = 64 << 20
THP = "/sys/kernel/mm/transparent_hugepage"
# below 512 MiB, the kernel gives no huge pages unless it is told to
ASK_FOR_HUGE = f"echo madvise >{THP}/enabled\necho madvise >{THP}/defrag\n"
# files may take all memory, not half of it
ALL_FOR_FILES = "mount -o remount,size=100% tmpfs /tmp\n"


def part(size: Size, share: float) -> int:
    """So much of the footprint, in whole huge pages."""
    return int(size.footprint * share) // HUGE * HUGE


def command(
    size: Size,
    seed: int,
    how: str = "--hot-weight 0.9 --reverse",
    times: float = 1,
    mem: int | None = None,
) -> str:
    """Update a hot set of a fourteenth, last in the table, as in the paper.

    The paper does 9e8 updates on 14 GiB; emulated, what takes the all-fast
    design about eleven simulated seconds.
    """
    updates = {"smoke": 3_000_000, "emulated": 150_000_000, "paper": 900_000_000}[size.scale]
    return (
        f"gups --mem {mem or size.footprint} --updates {int(times * updates)} "
        f"--hot {size.footprint // 14} {how} --threads {size.threads} --seed {seed} "
        f"--report-ms {REPORT_MS}"
    )


def form(
    about: str,
    how: str,
    *,
    share: float = 1,
    times: float = 1,
    setup: str = ALL_FOR_FILES,
    placeable: bool = True,
) -> Workload:
    """Of 16 accesses, 15 go to a hot set, in memory that is had in another way.

    The table has a share of the footprint, {pages} huge pages. {ballast} is a size that fills
    the usual fast tier.
    """

    def run(size: Size, seed: int) -> str:
        filled = how.format(ballast=part(size, 0.35))
        return command(size, seed, f"--hot-weight 0.9375 {filled}", times, part(size, share))

    def prepare(size: Size) -> str:
        return setup.format(pages=part(size, share) // HUGE)

    return Workload(
        run,
        about=about,
        least=LEAST,
        timeline=True,
        form_of="gups",
        setup=prepare,
        placeable=placeable,
    )


def phase(size: Size, seed: int) -> str:
    """Move the hot set half-way from the end of the table to its beginning."""
    return command(size, seed, "--hot-weight 0.9 --reverse --phase 0.5", times=2)


def resize(size: Size, seed: int) -> str:
    """Give each size of the fast tier fifteen seconds or more."""
    return command(size, seed, times=5)


def uniform(size: Size, seed: int) -> str:
    """Make nothing hot, so that there is nothing to move."""
    return command(size, seed, "--mode random")


def zipf(size: Size, seed: int) -> str:
    """Let heat fall off over the whole table, whose end is the hottest."""
    return command(size, seed, "--mode zipf --reverse")


def writes(size: Size, seed: int) -> str:
    """Overwrite words without reading them: no load finds the hot set."""
    return command(size, seed, "--mode writes --hot-weight 0.9 --reverse")


SHARED = {
    "shmem": "shared anonymous memory",
    "memfd": "memory of a memfd",
    "file": "a mapped file of tmpfs",
}

WORKLOADS = {
    "gups": Workload(
        command,
        about="random updates of a table with a hot set",
        timeline=True,
        small="--mem 8M --updates 200000",
        corrupted=(
            "--mem 8M --updates 200000 --corrupt table",
            "--mem 8M --updates 200000 --ballast 1M:cache --corrupt ballast",
            "--mem 8M --updates 200000 --backing shmem --processes 2 --corrupt table",
        ),
    ),
    "gups-phase": Workload(
        phase, about="the hot set moves half-way", timeline=True, form_of="gups"
    ),
    "gups-resize": Workload(
        resize,
        about="the fast tier is doubled, then halved twice, on the way",
        timeline=True,
        form_of="gups",
        resizes=((15, 0.4), (30, 0.2), (45, 0.1)),
    ),
    "gups-writes": Workload(
        writes, about="the hot set is only written", timeline=True, form_of="gups"
    ),
    "gups-uniform": Workload(uniform, about="nothing is hot", form_of="gups"),
    "gups-zipf": Workload(zipf, about="popularity by Zipf's law", timeline=True, form_of="gups"),
    **{
        name: form(about, f"--reverse {how}", share=0.95)
        for kind, memory in SHARED.items()
        for name, about, how in (
            (f"gups-{kind}", memory, f"--backing {kind}"),
            (f"gups-{kind}8", f"{memory} of 8 processes", f"--backing {kind} --processes 8"),
        )
    },
    "gups-fork": form(
        "only read; a child has it, too, for 10 s of 20",
        "--reverse --mode reads --fork-every 20 --fork-life 10",
        times=2,
    ),
    "gups-mlock": form("locked memory", "--reverse --backing mlock"),
    "gups-mthp": form(
        "folios of 64 KiB",
        "--reverse --backing mthp",
        share=0.95,
        setup=f"echo always >{THP}/hugepages-64kB/enabled\n",
    ),
    "gups-thp": form("huge pages", "--reverse --backing thp", share=0.85, setup=ASK_FOR_HUGE),
    "gups-holes": form(
        "huge pages, of each of which 4 KiB are others",
        "--reverse --backing holes",
        share=0.85,
        setup=ASK_FOR_HUGE,
    ),
    "gups-hugetlb": form(
        "huge pages of the pool",
        "--reverse --backing hugetlb",
        share=0.75,
        setup="echo {pages} >/proc/sys/vm/nr_hugepages\n",
    ),
    "gups-cache": form(
        "after page cache that nobody reads",
        "--reverse --ballast {ballast}:cache",
        share=0.6,
        placeable=False,
    ),
    "gups-hotfile": form(
        "a mapped file, after cold private memory",
        "--reverse --backing file --ballast {ballast}:anon",
        share=0.6,
    ),
    "gups-hotread": form(
        "page cache by read(), after cold private memory",
        "--reverse --mode reads --backing cache --ballast {ballast}:anon",
        share=0.6,
        times=0.2,
        placeable=False,
    ),
    "gups-hotread-first": form(
        "page cache by read(), the hot set touched first",
        "--mode reads --backing cache",
        share=0.6,
        times=0.2,
        placeable=False,
    ),
    "gups-mix": form(
        "eight processes, many kinds, forks, and page cache",
        "--reverse --backing shmem,shmem,shmem,shmem,file,anon,mlock,holes --processes 8 "
        "--fork-every 20 --fork-life 10 --ballast {ballast}:cache",
        share=0.4,
        times=2,
        setup=ASK_FOR_HUGE,
        placeable=False,
    ),
}
