//! Real sudo, by a real user with a virtual environment: the program is theirs, not root's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use run::{PYTHON, Place, Ran};

const NAME: &str = "pytrace-test";
const SUDOERS: &str = "/etc/sudoers.d/pytrace-test";

/// Prints who runs it and with what, as Python sees it.
const WHO: &str = "\
import getpass, grp, os, sys
import only_in_venv

def who():
    print('user', os.getuid(), os.geteuid(), os.getgid(), getpass.getuser())
    print('groups', *sorted(grp.getgrgid(gid).gr_name for gid in os.getgroups()))
    print('python', sys.executable)
    print('module', only_in_venv.__file__)
    for name in 'HOME', 'VIRTUAL_ENV', 'FROM_THE_USER':
        print(name, os.environ.get(name))
    print('path', os.environ['PATH'].split(':')[0])
    print('sudo', *(name for name in os.environ if name.startswith('SUDO_')))
    open('made', 'w').close()

who()
";

/// A user with a home, a virtual environment in it and the right to call sudo; gone when dropped.
struct User {
    place: Place,
    home: PathBuf,
}

impl User {
    fn new() -> User {
        let place = Place::new();
        assert!(
            !Path::new(SUDOERS).exists(),
            "{SUDOERS} is left from a test that was killed: remove it and the user {NAME}"
        );
        let home = fs::canonicalize(place.path("")).unwrap().join("home");
        // From here on dropping this undoes what was done.
        let user = User { place, home };
        let home = user.home.to_str().unwrap();
        succeed(
            Command::new("useradd")
                .args(["--create-home", "--home-dir", home])
                .args([
                    "--user-group",
                    "--groups",
                    "users",
                    "--shell",
                    "/bin/bash",
                    NAME,
                ]),
        );
        fs::write(SUDOERS, format!("{NAME} ALL=(ALL) NOPASSWD: ALL\n")).unwrap();
        fs::set_permissions(SUDOERS, fs::Permissions::from_mode(0o440)).unwrap();
        // Where cargo builds the user may not be able to look.
        fs::copy(env!("CARGO_BIN_EXE_pytrace"), user.place.path("pytrace")).unwrap();
        user.place.write("home/who.py", WHO);
        let made = user.shell(&format!(
            "{PYTHON} -m venv --without-pip venv && \
             cd venv/lib/python3*/site-packages && touch only_in_venv.py"
        ));
        assert_eq!(made.code, 0, "{}", made.stderr);
        user
    }

    /// What the user's own shell makes of `script`, in the user's home.
    fn shell(&self, script: &str) -> Ran {
        // A login shell: nothing of the test's environment is left.
        let script = format!("cd ~ && {script}");
        self.place
            .run(self.place.command("su", &["-", NAME, "-c", &script]))
    }

    /// `sudo pytrace ARGS` in the activated environment.
    fn sudo_pytrace(&self, args: &str) -> Ran {
        let pytrace = self.home.with_file_name("pytrace");
        let pytrace = pytrace.display();
        self.shell(&format!(
            ". venv/bin/activate && export FROM_THE_USER=hello && sudo -n {pytrace} {args}"
        ))
    }

    fn id(&self) -> u32 {
        fs::metadata(&self.home).unwrap().uid()
    }

    /// What the script says when it is the user's.
    fn expected(&self) -> String {
        let (id, home) = (self.id(), self.home.display());
        let minor = self.minor();
        format!(
            "user {id} {id} {id} {NAME}\n\
             groups {NAME} users\n\
             python {home}/venv/bin/python3\n\
             module {home}/venv/lib/python3.{minor}/site-packages/only_in_venv.py\n\
             HOME {home}\n\
             VIRTUAL_ENV {home}/venv\n\
             FROM_THE_USER hello\n\
             path {home}/venv/bin\n\
             sudo\n"
        )
    }

    fn minor(&self) -> String {
        let code = "import sys; print(sys.version_info[1])";
        self.place
            .run(self.place.command(PYTHON, &["-c", code]))
            .text()
            .trim()
            .to_owned()
    }

    fn owner(&self, name: &str) -> (u32, u32) {
        let metadata = fs::metadata(self.home.join(name)).unwrap();
        (metadata.uid(), metadata.gid())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = fs::remove_file(SUDOERS);
        let _ = Command::new("userdel").args(["--force", NAME]).output();
        let _ = Command::new("groupdel").arg(NAME).output();
    }
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "needs root"]
fn under_sudo_everything_is_the_users() {
    let user = User::new();
    let id = user.id();

    // A script, as they would call it.
    let ran = user.sudo_pytrace("-o trace.json who.py");
    ran.recorded(0, &[]);
    assert_eq!(ran.text(), user.expected());
    assert_eq!(
        (user.owner("trace.json"), user.owner("made")),
        ((id, id), (id, id))
    );
    let trace = user.place.trace("home/trace.json");
    assert_eq!(trace.calls()[0], "<module>");
    assert!(
        trace.calls().contains(&"  who".to_owned()),
        "{}",
        trace.shown
    );
    assert_eq!(trace.footer()["scope"][0], user.home.display().to_string());

    // A command, found in the PATH that sudo hides.
    let ran = user.sudo_pytrace("-o trace.json -- python3 who.py");
    ran.recorded(0, &[]);
    assert_eq!(ran.text(), user.expected());

    // The tree, and the exit code.
    let ran = user.sudo_pytrace("-c 'import os, sys; sys.exit(os.getuid() % 200 + 3)'");
    ran.recorded((id % 200 + 3).cast_signed(), &[]);

    // What the user may not do, pytrace does not do for them.
    let secret = user.place.write("secret.json", "roots");
    user.place.mode("secret.json", 0o600);
    let shown = secret.display();
    user.sudo_pytrace(&format!("-o {shown} who.py")).says(
        1,
        &[
            &format!(
                "pytrace: failed to open {shown} for writing: Permission denied (os error 13)"
            ),
            &format!("hint: user {id} may not write there; choose another FILE for -o"),
        ],
    );
    user.sudo_pytrace(&shown.to_string()).says(
        1,
        &[
            &format!("pytrace: failed to read the script {shown}: Permission denied (os error 13)"),
            &format!("hint: user {id} must be able to read it"),
        ],
    );
    assert_eq!(fs::read(&secret).unwrap(), b"roots");

    // What sudo's own command line sets is meant.
    let pytrace = user.home.with_file_name("pytrace");
    let ran = user.shell(&format!(
        ". venv/bin/activate && sudo -n FROM_THE_USER=sudo {} -o trace.json who.py",
        pytrace.display()
    ));
    ran.recorded(0, &[]);
    assert_eq!(
        ran.text(),
        user.expected()
            .replace("FROM_THE_USER hello", "FROM_THE_USER sudo")
    );
}

#[test]
#[ignore = "needs root"]
fn as_root_means_root() {
    let user = User::new();
    let code = "-c 'import os; print(os.getuid(), os.environ.get(\"VIRTUAL_ENV\"))'";
    let ran = user.sudo_pytrace(&format!("--as-root --python {PYTHON} -o trace.json {code}"));
    ran.recorded(0, &[]);
    assert_eq!(ran.text(), "0 None\n");
    assert_eq!(user.owner("trace.json"), (0, 0));
}

#[test]
#[ignore = "needs root"]
fn a_process_of_the_users_is_attached_to_and_the_trace_is_theirs() {
    let user = User::new();
    user.place.write(
        "home/up.py",
        "import time\ndef f(): time.sleep(0.005)\nopen('up', 'w').close()\nwhile True: f()\n",
    );
    let ran = user.shell(
        ". venv/bin/activate; python3 up.py & pid=$!; \
         while [ ! -e up ]; do sleep 0.1; done; \
         sudo -n ../pytrace -o trace.json --duration 300ms --pid $pid; code=$?; \
         kill $pid && exit $code",
    );
    ran.recorded(0, &[]);
    let id = user.id();
    assert_eq!(user.owner("trace.json"), (id, id));
    let trace = user.place.trace("home/trace.json");
    assert!(
        trace.calls().iter().any(|call| call.trim() == "f"),
        "{}",
        trace.shown
    );
    assert_eq!(trace.footer()["scope"][0], user.home.display().to_string());
}
