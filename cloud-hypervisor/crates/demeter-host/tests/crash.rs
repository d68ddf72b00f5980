// SPDX-License-Identifier: GPL-2.0-or-later
//! setup and undo that are killed anywhere, and machines that reboot: undo leaves the machine as
//! it was before.

mod fake;

use demeter_host::item::{Item, Mode};
use demeter_host::items::ITEMS;
use demeter_host::report::Done;
use demeter_host::setup::{self, setup};
use demeter_host::undo::{self, undo};
use fake::{Fake, JOURNAL, LIMITS, NO_TURBO, OVERCOMMIT, THP};
use proptest::prelude::*;

fn set_up(fake: &mut Fake, items: &[&dyn Item], mode: Mode) -> Result<Done, String> {
    let options = setup::Options {
        mode,
        dax: &[],
        dry_run: false,
        go_on: &|| true,
    };
    setup(fake, items, &options)
}

fn put_back(fake: &mut Fake, force: bool) -> Result<Done, String> {
    let options = undo::Options {
        force,
        dry_run: false,
        go_on: &|| true,
    };
    undo(fake, &options)
}

fn all(fake: &mut Fake) -> Done {
    let done = set_up(fake, &ITEMS, Mode::Demeterhost).unwrap();
    assert!(done.is_complete(), "{:?}", done.complaints());
    done
}

fn complete(fake: &mut Fake) -> Done {
    let done = put_back(fake, false).unwrap();
    assert!(done.is_complete(), "{:?}", done.complaints());
    done
}

#[test]
fn undo_puts_back_all() {
    let mut fake = Fake::server();
    let before = fake.state();
    let done = all(&mut fake);
    assert!(done.actions.len() > 15, "{:?}", done.actions);
    assert!(fake.swaps.is_empty());
    assert_eq!(fake.at(THP), "always [madvise] never");
    assert_ne!(before, fake.state());
    // without the caches, but with what the kernel has changed with others
    assert_eq!(
        complete(&mut fake).actions.len(),
        done.actions.len() - 1 + 3
    );
    assert_eq!(before, fake.state());
    assert!(complete(&mut fake).actions.is_empty());
}

#[test]
fn a_second_setup_keeps_what_was_noted_first() {
    let mut fake = Fake::server();
    let before = fake.state();
    all(&mut fake);
    let journal = fake.files[JOURNAL].clone();
    let again = all(&mut fake);
    // the caches that are dropped again
    assert_eq!(again.actions.len(), 1, "{:?}", again.actions);
    assert_eq!(fake.files[JOURNAL], journal);
    // one that was changed back, and one of another mode
    fake.put(OVERCOMMIT, "0");
    set_up(&mut fake, &ITEMS, Mode::Tpphost).unwrap();
    assert_eq!(fake.at(OVERCOMMIT), "1");
    complete(&mut fake);
    assert_eq!(before, fake.state());
}

#[test]
fn each_point_at_which_setup_or_undo_can_be_killed() {
    let fresh = Fake::server();
    let before = fresh.state();
    let mut fake = fresh.clone();
    all(&mut fake);
    let setup_changes = fake.changes;
    complete(&mut fake);
    let all_changes = fake.changes;
    assert!(
        setup_changes > 30 && all_changes > 60,
        "{setup_changes} {all_changes}"
    );
    for life in 0..setup_changes {
        let mut fake = fresh.clone();
        fake.life = Some(life);
        let _ = set_up(&mut fake, &ITEMS, Mode::Demeterhost);
        fake.life = None;
        complete(&mut fake);
        assert_eq!(before, fake.state(), "setup killed after {life} changes");
    }
    for life in 0..all_changes - setup_changes {
        let mut fake = fresh.clone();
        all(&mut fake);
        fake.life = Some(life);
        let _ = put_back(&mut fake, false);
        fake.life = None;
        complete(&mut fake);
        assert_eq!(before, fake.state(), "undo killed after {life} changes");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Setup(Option<usize>, Mode, usize),
    Undo(Option<usize>),
    Reboot,
}

fn step() -> impl Strategy<Value = Step> {
    let life = || prop::option::weighted(0.7, 0_usize..80);
    let mode = prop_oneof![Just(Mode::Demeterhost), Just(Mode::Tpphost)];
    prop_oneof![
        5 => (life(), mode, 0..1_usize << ITEMS.len()).prop_map(|(l, m, i)| Step::Setup(l, m, i)),
        3 => life().prop_map(Step::Undo),
        1 => Just(Step::Reboot),
    ]
}

/// A server that somebody has set up in part
fn server() -> impl Strategy<Value = Fake> {
    (
        0..3_u8,
        0..2_u8,
        prop::sample::select(vec!["always", "madvise", "never"]),
        any::<[bool; 5]>(),
    )
        .prop_map(
            |(balancing, overcommit, thp, [turbo, dax, swap, order, files])| {
                let mut fake = Fake::server();
                fake.put("/proc/sys/kernel/numa_balancing", &balancing.to_string());
                fake.put(OVERCOMMIT, &overcommit.to_string());
                let words = "always madvise never".replace(thp, &format!("[{thp}]"));
                fake.put(THP, &words);
                fake.put(NO_TURBO, if turbo { "0" } else { "1" });
                if dax {
                    fake.dax("dax0.0", "kmem");
                }
                if swap {
                    fake.swaps.truncate(1);
                }
                if order {
                    fake.swaps.reverse();
                }
                if files {
                    fake.put(LIMITS, "another's");
                }
                fake
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn undo_leaves_what_was_there(fresh in server(), steps in prop::collection::vec(step(), 1..8)) {
        let mut fake = fresh.clone();
        let mut boots = 1;
        for step in steps {
            match step {
                Step::Setup(life, mode, some) => {
                    let chosen = ITEMS.iter().enumerate().filter(|(i, _)| some >> i & 1 == 1);
                    let chosen: Vec<_> = chosen.map(|(_, item)| *item).collect();
                    fake.life = life;
                    let _ = set_up(&mut fake, &chosen, mode);
                }
                Step::Undo(life) => {
                    fake.life = life;
                    let _ = put_back(&mut fake, false);
                }
                Step::Reboot => {
                    boots += 1;
                    fake.reboot(&fresh, &format!("boot-{boots}"));
                }
            }
            fake.life = None;
        }
        let done = put_back(&mut fake, false).unwrap();
        prop_assert!(done.is_complete(), "{:?}", done.complaints());
        fake.put(fake::BOOT_ID, "boot-1");
        prop_assert_eq!(fresh.state(), fake.state());
    }
}

#[test]
fn what_a_reboot_put_back_is_not_put_back_again() {
    let fresh = Fake::server();
    let mut fake = fresh.clone();
    all(&mut fake);
    fake.reboot(&fresh, "boot-2");
    // what setup would have set, this time set by the administrator
    fake.put(OVERCOMMIT, "1");
    assert!(fake.files.contains_key(LIMITS));
    let done = complete(&mut fake);
    assert!(done.forgotten > 10);
    assert_eq!(done.actions.len(), 1, "the file of limits alone");
    assert_eq!(fake.at(OVERCOMMIT), "1");
    assert!(!fake.files.contains_key(LIMITS) && !fake.files.contains_key(JOURNAL));
}

#[test]
fn what_another_has_changed_is_left() {
    let mut fake = Fake::server();
    let before = fake.state();
    all(&mut fake);
    fake.put(OVERCOMMIT, "2");
    fake.swapon_by_hand("/zram", 5);
    for _ in 0..2 {
        let done = put_back(&mut fake, false).unwrap();
        assert_eq!(done.foreign.len(), 2);
        assert!(!done.is_complete());
        let said = done.complaints().join("\n");
        assert!(
            said.contains("overcommit_memory: somebody has set 2"),
            "{said}"
        );
        assert!(said.contains("swap /zram: somebody has set 5"), "{said}");
        assert_eq!(fake.at(OVERCOMMIT), "2");
    }
    // Swap that is on with another priority has to be switched off first.
    fake.swaps.retain(|(name, _)| name != "/zram");
    let done = put_back(&mut fake, true).unwrap();
    assert!(done.is_complete(), "{:?}", done.complaints());
    assert_eq!(before, fake.state());
}

#[test]
fn what_cannot_be_changed_is_reported_and_not_noted() {
    let mut fake = Fake::server();
    let before = fake.state();
    fake.refused.insert(OVERCOMMIT.into());
    fake.refused.insert("daxctl".into());
    fake.denied.insert("/proc/meminfo".into());
    let done = set_up(&mut fake, &ITEMS, Mode::Demeterhost).unwrap();
    assert_eq!(done.failed.len(), 3, "{:?}", done.failed);
    assert!(
        done.failed[0].starts_with("dax0.0: refused"),
        "{:?}",
        done.failed
    );
    let journal = &fake.files[JOURNAL];
    assert!(!journal.contains("overcommit_memory") && !journal.contains("\"dax0.0\""));
    fake.denied.clear();
    complete(&mut fake);
    assert_eq!(before, fake.state());
}

#[test]
fn what_cannot_be_put_back_stays_noted() {
    let mut fake = Fake::server();
    let before = fake.state();
    all(&mut fake);
    fake.refused.insert("daxctl".into());
    let done = put_back(&mut fake, false).unwrap();
    assert_eq!(done.failed, ["dax0.0: refused"]);
    assert!(fake.files[JOURNAL].contains("\"dax0.0\""));
    fake.refused.clear();
    complete(&mut fake);
    assert_eq!(before, fake.state());
}

#[test]
fn values_that_the_kernel_rounds() {
    let mut fake = Fake::server();
    let before = fake.state();
    let path = "/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq";
    fake.made.insert(path.into(), "2399999".into());
    all(&mut fake);
    fake.made.clear();
    complete(&mut fake);
    assert_eq!(before, fake.state());
    // one that it does not change at all
    fake.made.insert(OVERCOMMIT.into(), "0".into());
    let done = set_up(&mut fake, &ITEMS, Mode::Demeterhost).unwrap();
    assert_eq!(done.failed, [format!("{OVERCOMMIT}: did not take 1")]);
}

#[test]
fn nothing_is_changed_without_a_journal() {
    let text = "{\"version\":1,\"records\":[{\"item\":\"x\",\"boot\":\"boot-1\",\
                \"target\":{\"kind\":\"file\",\"path\":\"/etc/passwd\"},\
                \"before\":\"x\",\"ours\":[]}]}";
    for text in ["", "{}", "{\"version\":2,\"records\":[]}", "[1", text] {
        let mut fake = Fake::server();
        fake.put(JOURNAL, text);
        let before = fake.state();
        for result in [
            set_up(&mut fake, &ITEMS, Mode::Demeterhost),
            put_back(&mut fake, true),
        ] {
            let why = result.unwrap_err();
            assert!(why.contains("is no journal of this version"), "{why}");
            assert!(!why.contains('\n'));
        }
        assert_eq!(before, fake.state());
    }
    // a full disk, and a machine whose boots cannot be told apart
    let mut fake = Fake::server();
    let before = fake.state();
    fake.refused.insert(JOURNAL.into());
    assert!(set_up(&mut fake, &ITEMS, Mode::Demeterhost).is_err());
    assert_eq!(before, fake.state());
    fake.delete(fake::BOOT_ID);
    let before = fake.state();
    assert!(set_up(&mut fake, &ITEMS, Mode::Demeterhost).is_err());
    assert_eq!(before, fake.state());
}

#[test]
fn dry_runs_change_nothing() {
    let mut fake = Fake::server();
    let before = fake.state();
    let options = setup::Options {
        mode: Mode::Demeterhost,
        dax: &[],
        dry_run: true,
        go_on: &|| true,
    };
    let would = setup(&mut fake, &ITEMS, &options).unwrap();
    assert_eq!(before, fake.state());
    assert_eq!(would.actions, all(&mut fake).actions);
    let after = fake.state();
    let options = undo::Options {
        force: false,
        dry_run: true,
        go_on: &|| true,
    };
    let would = undo(&mut fake, &options).unwrap();
    assert_eq!(after, fake.state());
    let values = |done: Done| -> Vec<_> {
        let actions = done.actions.into_iter();
        actions
            .map(|action| (action.target, action.after))
            .collect()
    };
    assert_eq!(values(would), values(complete(&mut fake)));
}

#[test]
fn a_signal_ends_it_between_two_changes() {
    for most in 0..20 {
        let mut fake = Fake::server();
        let before = fake.state();
        let count = std::cell::Cell::new(0);
        let go_on = || count.replace(count.get() + 1) < most;
        let options = setup::Options {
            mode: Mode::Demeterhost,
            dax: &[],
            dry_run: false,
            go_on: &go_on,
        };
        let done = setup(&mut fake, &ITEMS, &options).unwrap();
        assert!(done.interrupted && done.actions.len() == most);
        complete(&mut fake);
        assert_eq!(before, fake.state());
    }
}
