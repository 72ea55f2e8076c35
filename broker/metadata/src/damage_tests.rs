//! A byte that flips in a file of the metadata folder: what a start says, and that it loses nothing in silence.
//! Shell. Tests only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_env::memory::FaultyDisk;
use ottla_env::{Disk, Env};
use ottla_model::{LeaderEpoch, Offset};

use crate::metadata_tests::{
    DIR, Folder, create, facts, files, fill, logs, on_machine, open_after_crash, options, run, start, world,
};
use crate::{Image, LogOpenError, Metadata, MetadataOptions, OpenError};

const TOPICS: usize = 12;

fn folder() -> PathBuf {
    Path::new(DIR).join("__cluster_metadata-0")
}

fn log_file() -> PathBuf {
    folder().join("00000000000000000000.log")
}

/// A broker that made some topics, each in a round of its own, and was killed.
fn killed(seed: u64) -> (FaultyDisk, Env) {
    let disk = FaultyDisk::new(seed);
    let env = world(seed, Arc::new(disk.clone()));
    let metadata = start(&env);
    run(async {
        for index in 0..TOPICS {
            assert_eq!(create(&metadata, &format!("t{index}")).await, Ok(0));
        }
        // Behind its answer quorum-state is written.
        assert_eq!(create(&metadata, "t0").await, Ok(36));
    });
    disk.kill();
    run(metadata.stop());
    (disk, env)
}

fn topics(image: &Image) -> usize {
    image.topic_count()
}

#[test]
fn a_flipped_byte_stops_the_start_and_says_what_would_be_lost() {
    let (disk, env) = killed(1);
    let whole = disk.read(&log_file()).expect("the log");
    for third in 0..3 {
        let position = whole.len() / 6 + third * whole.len() / 3;
        disk.flip(&log_file(), position, 3);
        let damaged = disk.read(&log_file()).expect("the log");
        // It says so at every start, and changes nothing.
        for _ in 0..2 {
            let error = open_after_crash(&env, false).err().expect("it does not open").to_string();
            disk.kill();
            assert!(error.contains("00000000000000000000.log is damaged at byte "), "{error}");
            assert!(error.contains(&format!("t{}", TOPICS - 1)), "{error}");
            assert!(error.contains("--accept-metadata-loss"), "{error}");
            assert_eq!(disk.read(&log_file()).expect("the log"), damaged);
        }
        disk.flip(&log_file(), position, 3);
    }
    assert_eq!(topics(&open_after_crash(&env, false).expect("whole again").image()), TOPICS);
}

#[test]
fn a_byte_that_flips_anywhere_takes_away_at_most_the_last_batch() {
    let (disk, env) = killed(2);
    let whole = disk.read(&log_file()).expect("the log");
    let (mut stopped, mut cut) = (0, 0);
    for position in (0..whole.len()).step_by(29) {
        disk.write_atomically(&log_file(), &whole).expect("written");
        disk.flip(&log_file(), position, (position % 8) as u8);
        match open_after_crash(&env, false) {
            Err(OpenError::Damaged { .. }) => stopped += 1,
            Err(error) => panic!("byte {position}: {error}"),
            Ok(metadata) => {
                // The last batch is not distinguished from one that a crash tore; two bytes of a batch say nothing.
                assert!(topics(&metadata.image()) >= TOPICS - 1, "byte {position}");
                cut += usize::from(topics(&metadata.image()) < TOPICS);
            }
        }
        disk.kill();
    }
    assert!(stopped > 20 && cut > 0, "{stopped} starts stopped, {cut} went on without the last batch");
}

#[test]
fn an_accepted_loss_keeps_a_copy_and_goes_on_with_what_is_before() {
    let (disk, env) = killed(3);
    let len = disk.read(&log_file()).expect("the log").len();
    disk.flip(&log_file(), len / 2, 0);
    let damaged = disk.read(&log_file()).expect("the log");
    let metadata = open_after_crash(&env, true).expect("it opens");
    let left = topics(&metadata.image());
    assert!(0 < left && left < TOPICS - 1, "{left} topics");
    assert!((0..left).all(|index| metadata.image().topic(&format!("t{index}")).is_some()));
    let names = disk.read_names(&folder()).expect("names");
    let copy = names.iter().find(|name| name.text.starts_with("damaged-")).expect("a copy");
    let copied = folder().join(&copy.text).join("00000000000000000000.log");
    assert_eq!(disk.read(&copied).expect("the copy"), damaged);
    disk.kill();
    // The next start finds a whole log, and the option does nothing to one.
    for accepts in [false, true] {
        let again = open_after_crash(&env, accepts).expect("it opens");
        assert_eq!(topics(&again.image()), left);
        disk.kill();
    }
    let copies = disk.read_names(&folder()).expect("names");
    assert_eq!(copies.iter().filter(|name| name.text.starts_with("damaged-")).count(), 1);
}

#[test]
fn after_a_clean_stop_even_the_last_batch_was_on_the_device() {
    let (disk, env) = killed(4);
    let len = disk.read(&log_file()).expect("the log").len();
    disk.flip(&log_file(), len - 2, 0);
    let options = options(Some(logs(&env, Path::new(DIR))));
    let error = Metadata::open(&env, MetadataOptions { unclean_stop: false, ..options }).err();
    assert!(matches!(error, Some(OpenError::Damaged { .. })), "{error:?}");
}

#[test]
fn a_damaged_quorum_state_costs_nothing() {
    let (disk, env) = killed(5);
    let path = folder().join("quorum-state");
    let whole = disk.read(&path).expect("quorum-state");
    for third in 0..3 {
        disk.write_atomically(&path, &whole).expect("written");
        disk.flip(&path, whole.len() / 6 + third * whole.len() / 3, 1);
        let metadata = open_after_crash(&env, false).expect("it opens");
        assert_eq!(topics(&metadata.image()), TOPICS);
        assert_eq!(metadata.image().leader_epoch(), LeaderEpoch(2 + third as i32));
        disk.kill();
    }
    disk.remove_file(&path).expect("removed");
    assert_eq!(topics(&open_after_crash(&env, false).expect("it opens").image()), TOPICS);
}

#[test]
fn a_damaged_snapshot_stops_the_start_when_the_log_before_it_is_gone() {
    let folder = Folder::new("damaged-snapshot");
    let before = fill(&folder);
    let snapshot = files(&folder, ".checkpoint").pop().expect("a snapshot");
    let whole = std::fs::read(&snapshot).expect("the snapshot");
    let reopened = || {
        let env = on_machine();
        Metadata::open(&env, options(Some(logs(&env, &folder.0)))).map(|metadata| metadata.image().clone())
    };
    for third in 0..3 {
        let mut damaged = whole.clone();
        damaged[whole.len() / 6 + third * whole.len() / 3] ^= 1;
        std::fs::write(&snapshot, damaged).expect("written");
        let error = reopened().expect_err("it does not open");
        let is_gap = matches!(error, OpenError::Log(LogOpenError::Gap { known: Offset::ZERO, .. }));
        assert!(is_gap, "{error}");
    }
    std::fs::write(&snapshot, whole).expect("written");
    assert_eq!(facts(&reopened().expect("it opens")), facts(&before));
}
