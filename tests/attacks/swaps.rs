//! Swaps of what a path leads to, between two looks of pytrace's.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Uid};

use pytrace::user::User;
use pytrace::user::rights::{as_user, open_as_user};

use super::run::NOBODY;
use super::{is_untouched, place, sudo};

/// The user of the attacks, for calls of the library's.
fn user() -> User {
    User {
        uid: Uid::from_raw(NOBODY),
        gid: Gid::from_raw(NOBODY),
        groups: vec![Gid::from_raw(NOBODY)],
        home: None,
        environment: Vec::new(),
        switches: true,
        notes: Vec::new(),
    }
}

/// Does something over and over, as the user, until the other thread is done.
fn meanwhile(attack: impl Fn() + Sync, work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            as_user(&user(), || {
                while !done.load(Ordering::Relaxed) {
                    attack();
                }
            })
            .unwrap();
        });
        work();
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
#[ignore = "needs root"]
fn no_swap_between_two_looks_at_a_path_opens_a_file_of_roots() {
    const SECONDS: Duration = Duration::from_secs(3);
    let place = place();
    let home = place.path("home");
    let (out, open) = (home.join("out"), place.path("open"));
    let (directory, closed) = (home.join("directory"), place.path("root"));
    let swap_file = || {
        let _ = fs::remove_file(&out);
        let _ = symlink(&open, &out);
        let _ = fs::remove_file(&out);
        let _ = fs::write(&out, "own");
    };
    let (real, link) = (home.join("real"), home.join("link"));
    as_user(&user(), || {
        fs::create_dir(&directory).unwrap();
        symlink(&closed, &link).unwrap();
    })
    .unwrap();
    let swap_directory = || {
        let _ = fs::rename(&directory, &real);
        let _ = fs::rename(&link, &directory);
        let _ = fs::rename(&directory, &link);
        let _ = fs::rename(&real, &directory);
    };
    let mut opened = [0_u32; 2];
    let mut refused = [0_u32; 2];
    for (at, path) in [(0, out.clone()), (1, directory.join("file"))] {
        let attack: &(dyn Fn() + Sync) = if at == 0 { &swap_file } else { &swap_directory };
        meanwhile(attack, || {
            let begun = Instant::now();
            while begun.elapsed() < SECONDS {
                match open_as_user(&path, &user()) {
                    Ok(file) => {
                        opened[at] += 1;
                        assert_eq!(file.file.metadata().unwrap().uid(), NOBODY);
                        file.file.set_len(0).unwrap();
                    }
                    Err(_) => refused[at] += 1,
                }
            }
        });
        is_untouched(&place);
    }
    // The race was one: either side has won at times.
    assert!(
        opened.iter().chain(&refused).all(|&times| times > 0),
        "{opened:?} {refused:?}"
    );
}

#[test]
#[ignore = "needs root and eBPF"]
fn the_trace_file_that_is_removed_is_the_one_that_was_made() {
    let place = place();
    // A process that is none of Python's: its recording never begins, and its file goes again.
    let target = place.start(place.command("sleep", &["60"]));
    let pid = target.id().to_string();
    let attempt = || place.run(sudo(&place, &["-o", "directory/file", "--pid", &pid]));
    let home = place.path("home");
    let (directory, real) = (home.join("directory"), home.join("real"));
    as_user(&user(), || fs::create_dir(&directory).unwrap()).unwrap();
    attempt();
    assert_eq!(
        fs::read_dir(&directory).unwrap().count(),
        0,
        "it goes where nobody interferes"
    );
    // The user puts a link to root's directory, in which there is a file of that name, in place of
    // their own, as soon as the file is there.
    let swap = || {
        if directory.join("file").exists() && !directory.is_symlink() {
            let _ = fs::rename(&directory, &real);
            let _ = symlink("../root", &directory);
        }
        thread::yield_now();
    };
    meanwhile(swap, || {
        attempt();
    });
    assert!(directory.is_symlink());
    is_untouched(&place);
    assert_eq!(
        fs::read_dir(&real).unwrap().count(),
        0,
        "it is found under its other name"
    );
}
