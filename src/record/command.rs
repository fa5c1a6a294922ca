//! What is executed for a target: the user's own python, found as the user's shell would.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use super::shebang::{Content, Interpreter};
use crate::cli::Target;
use crate::error::WithHint;
use crate::user::User;
use crate::user::rights::{as_user, may_execute, read_as_user};

/// Where programs are looked for when the user has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A program and its arguments, ready to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Absolute path, symbolic links not resolved: a virtual environment's python is a link,
    /// and knows its environment by where that link is.
    pub program: PathBuf,
    /// Arguments, the program's own name first.
    pub argv: Vec<OsString>,
}

impl Command {
    /// What to execute for `target` as `user` in directory `cwd` (absolute).
    ///
    /// For a script, module or code that is the interpreter `python` where given; else, for a
    /// script, the one its `#!` line names, unless that is a system's (`/usr/bin/python3`,
    /// `/usr/bin/env python3`), which only gives a name; else what `python3` or `python` is in
    /// the user's `PATH`. Options on the `#!` line are not looked at, as `python SCRIPT`
    /// doesn't. A pyenv shim is a shell script; it executes as it is.
    ///
    /// # Errors
    ///
    /// Each with its cure: script or interpreter missing, unreadable or not executable for the
    /// user, a script that is no Python. Processes to attach to have no command: a bug.
    pub fn resolve(
        target: &Target,
        python: Option<&Path>,
        user: &User,
        cwd: &Path,
    ) -> anyhow::Result<Command> {
        let search = Search { user, cwd };
        let (interpreter, own, args): (_, Vec<OsString>, _) = match target {
            Target::Script { path, args } => {
                let content = search.check_script(path)?;
                (
                    search.interpreter(python, &content)?,
                    vec![path.into()],
                    args,
                )
            }
            Target::Module { name, args } => (
                search.interpreter(python, &Content::Python(None))?,
                vec!["-m".into(), name.clone()],
                args,
            ),
            Target::Code { code, args } => (
                search.interpreter(python, &Content::Python(None))?,
                vec!["-c".into(), code.clone()],
                args,
            ),
            Target::Command { program, args } => {
                let found = search
                    .program(program)
                    .with_context(|| format!("failed to run {}", program.display()))
                    .hint(
                        "`-- COMMAND` wants a program you may execute: a path, or a name in PATH",
                    )?;
                let argv = [program].into_iter().chain(args).cloned().collect();
                return Ok(Command {
                    program: found,
                    argv,
                });
            }
            Target::Processes(_) => bail!("running processes have no command to execute"),
        };
        let argv = [interpreter.clone().into()]
            .into_iter()
            .chain(own)
            .chain(args.iter().cloned());
        Ok(Command {
            argv: argv.collect(),
            program: interpreter,
        })
    }
}

/// Finds programs and scripts with the user's eyes.
struct Search<'a> {
    user: &'a User,
    cwd: &'a Path,
}

impl Search<'_> {
    /// Looks into a script: refuses what python could not run, says whom its `#!` line names.
    fn check_script(&self, script: &Path) -> anyhow::Result<Content> {
        if script == Path::new("-") {
            return Ok(Content::Python(None));
        }
        let shown = script.display();
        let read = || -> io::Result<(bool, Vec<u8>)> {
            let file = read_as_user(&self.cwd.join(script), self.user)?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Ok((true, Vec::new()));
            }
            let mut head = Vec::new();
            // From a FIFO the script itself would be missing what is read here.
            if metadata.is_file() {
                file.take(1024).read_to_end(&mut head)?;
            }
            Ok((false, head))
        };
        let (is_directory, head) = match read() {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let on_path = !script.as_os_str().as_bytes().contains(&b'/')
                    && self.program(script.as_os_str()).is_ok();
                let error = anyhow!("no such script: {shown}");
                return Err(if on_path {
                    error.hint(format!("{shown} is a command: pytrace -- {shown}"))
                } else {
                    error.hint("-m MODULE runs a module, `-- COMMAND` any command")
                });
            }
            Err(error) => {
                return Err(anyhow!(error).context(format!("failed to read the script {shown}")))
                    .hint(format!("user {} must be able to read it", self.user.uid));
            }
        };
        if is_directory {
            let main = self.cwd.join(script).join("__main__.py");
            return match read_as_user(&main, self.user) {
                Ok(_) => Ok(Content::Python(None)),
                Err(_) => Err(anyhow!("{shown} is a directory without a __main__.py"))
                    .hint("name the script in it"),
            };
        }
        match Content::of(&head, script) {
            Content::Other(what) => {
                let path = match script.as_os_str().as_bytes().contains(&b'/') {
                    true => script.to_owned(),
                    false => Path::new(".").join(script),
                };
                Err(anyhow!("{shown} is no Python script: it is {what}")).hint(format!(
                    "to trace every python it starts: pytrace -- {}",
                    path.display()
                ))
            }
            content => Ok(content),
        }
    }

    fn interpreter(&self, python: Option<&Path>, content: &Content) -> anyhow::Result<PathBuf> {
        if let Some(python) = python {
            return self.program(python.as_os_str()).map_err(|error| {
                let error = anyhow!(error).context(format!("failed to use {}", python.display()));
                // What is there is for the user's eyes only.
                match as_user(self.user, || fs::metadata(self.cwd.join(python))) {
                    Ok(Ok(metadata)) if metadata.is_dir() => error.hint(format!(
                        "--python wants the program: {}",
                        python.join("bin/python").display()
                    )),
                    _ => error.hint(
                        "--python wants an interpreter you may execute: a path, or a name in PATH",
                    ),
                }
            });
        }
        let named = match content {
            Content::Python(Some(Interpreter::Path(path))) => {
                return may_execute(path, self.user)
                    .map(|()| path.clone())
                    .with_context(|| {
                        format!(
                            "failed to use {}, which the script's #! line names",
                            path.display()
                        )
                    })
                    .hint("--python PATH chooses another interpreter: --python python3");
            }
            Content::Python(Some(Interpreter::Name { name, system })) => Some((name, system)),
            _ => None,
        };
        match named {
            // These name no version: any will do.
            None => self.first_of(&["python3".as_ref(), "python".as_ref()]),
            Some((name, _)) if name == "python3" || name == "python" => {
                self.first_of(&[name, "python3".as_ref(), "python".as_ref()])
            }
            Some((name, system)) => self.program(name).or_else(|error| {
                let system = system
                    .as_ref()
                    .filter(|path| may_execute(path, self.user).is_ok());
                system
                    .cloned()
                    .ok_or(error)
                    .with_context(|| {
                        format!(
                            "failed to find {}, which the script's #! line names",
                            name.display()
                        )
                    })
                    .hint("--python PATH chooses another interpreter: --python python3")
            }),
        }
    }

    fn first_of(&self, names: &[&OsStr]) -> anyhow::Result<PathBuf> {
        names
            .iter()
            .find_map(|name| self.program(name).ok())
            .with_context(|| {
                format!(
                    "found neither python3 nor python in PATH ({})",
                    self.path().display()
                )
            })
            .hint("name the interpreter: --python PATH")
    }

    /// Finds a program as `execvp` does: a path as it is, a name in the user's `PATH`. Of files
    /// that may not be executed the first is reported.
    fn program(&self, name: &OsStr) -> io::Result<PathBuf> {
        if name.as_bytes().contains(&b'/') {
            let path = self.cwd.join(name);
            return may_execute(&path, self.user).map(|()| path);
        }
        let mut forbidden = None;
        // An empty entry means the working directory; joining it does just that.
        for directory in self
            .path()
            .as_bytes()
            .split(|&b| b == b':')
            .filter(|_| !name.is_empty())
        {
            let path = self.cwd.join(OsStr::from_bytes(directory)).join(name);
            match may_execute(&path, self.user) {
                Ok(()) => return Ok(path),
                Err(error) if path.is_file() => {
                    forbidden.get_or_insert(error);
                }
                Err(_) => {}
            }
        }
        Err(forbidden.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT)))
    }

    fn path(&self) -> &OsStr {
        self.user
            .variable("PATH")
            .unwrap_or(OsStr::new(DEFAULT_PATH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::report;
    use std::os::unix::fs::PermissionsExt;

    struct Place {
        dir: tempfile::TempDir,
        user: User,
    }

    impl Place {
        /// Files with their contents; those below a `bin` are executable and the user's `PATH`
        /// is `bin`.
        fn with(files: &[(&str, &str)]) -> Place {
            let dir = tempfile::tempdir().unwrap();
            for (name, content) in files {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, content).unwrap();
                let mode = if name.contains("bin/") { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            let mut user = User::of_target(true).unwrap();
            user.environment = vec![("PATH".into(), dir.path().join("bin").into())];
            Place { dir, user }
        }

        fn resolve(&self, target: &Target, python: Option<&str>) -> Result<String, String> {
            let cwd = self.dir.path();
            Command::resolve(target, python.map(Path::new), &self.user, cwd)
                .map(|command| {
                    assert!(command.program.is_absolute());
                    let argv: Vec<_> = command.argv.iter().map(|a| a.to_string_lossy()).collect();
                    format!("{}: {}", command.program.display(), argv.join(" "))
                        .replace(cwd.to_str().unwrap(), "")
                })
                .map_err(|error| report(&error).replace(cwd.to_str().unwrap(), ""))
        }

        fn script(&self, path: &str) -> Result<String, String> {
            self.resolve(
                &Target::Script {
                    path: path.into(),
                    args: vec!["x".into()],
                },
                None,
            )
        }
    }

    #[test]
    fn a_script_runs_with_the_python_its_user_would_get() {
        let place = Place::with(&[
            ("bin/python3", ""),
            ("bin/python3.9", ""),
            ("none.py", "print(1)"),
            ("env.py", "#!/usr/bin/env python3.9\n"),
            ("system.py", "#!/usr/bin/python3.9 -u\n"),
            ("any.py", "#!/usr/bin/env python\n"),
            ("missing.py", "#!/usr/bin/env python3.99\n"),
            ("pkg/__main__.py", ""),
            ("empty/x.py", ""),
        ]);
        for (script, python) in [
            ("none.py", "python3"),
            ("env.py", "python3.9"),
            ("system.py", "python3.9"),
            ("any.py", "python3"),
            ("pkg", "python3"),
            ("-", "python3"),
        ] {
            let expected = format!("/bin/{python}: /bin/{python} {script} x");
            assert_eq!(place.script(script), Ok(expected));
        }
        let error = place.script("missing.py").unwrap_err();
        assert!(
            error.contains("python3.99") && error.contains("hint: --python"),
            "{error}"
        );
        let error = place.script("empty").unwrap_err();
        assert!(error.contains("directory without a __main__.py"), "{error}");
        let error = place.script("nowhere.py").unwrap_err();
        assert!(
            error.contains("no such script: nowhere.py\nhint: "),
            "{error}"
        );
        let error = place.script("python3").unwrap_err();
        assert!(error.contains("pytrace -- python3"), "{error}");
    }

    #[test]
    fn a_virtual_environment_on_the_first_line_is_used_unresolved() {
        let place = Place::with(&[("bin/python3", ""), ("venv/bin/real", "")]);
        let dir = place.dir.path();
        let venv = dir.join("venv/bin/python");
        std::os::unix::fs::symlink("real", &venv).unwrap();
        fs::write(dir.join("s.py"), format!("#!{}\n", venv.display())).unwrap();
        assert_eq!(
            place.script("s.py"),
            Ok("/venv/bin/python: /venv/bin/python s.py x".into())
        );
        fs::remove_file(venv).unwrap();
        let error = place.script("s.py").unwrap_err();
        assert!(
            error.contains("/venv/bin/python, which the script's #! line"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_python_is_sent_to_the_other_form() {
        let place = Place::with(&[
            ("bin/python3", ""),
            ("prog", "\x7fELF\x02"),
            ("run", "#!/bin/bash\n"),
            ("run.py", "#!/usr/bin/env -S uv run\n"),
        ]);
        for script in ["prog", "run"] {
            let error = place.script(script).unwrap_err();
            assert!(error.contains(&format!("pytrace -- ./{script}")), "{error}");
        }
        assert!(
            place.script("run.py").is_ok(),
            "named .py, it is Python to its user"
        );
    }

    #[test]
    fn an_interpreter_can_be_chosen() {
        let place = Place::with(&[
            ("bin/python3", ""),
            ("other/bin/pypy", ""),
            ("plain", ""),
            ("s.py", ""),
        ]);
        let target = Target::Module {
            name: "m".into(),
            args: vec![],
        };
        let run = |python| place.resolve(&target, Some(python));
        assert_eq!(
            run("other/bin/pypy"),
            Ok("/other/bin/pypy: /other/bin/pypy -m m".into())
        );
        assert_eq!(run("python3"), Ok("/bin/python3: /bin/python3 -m m".into()));
        for (python, hint) in [
            ("plain", "a path, or a name"),
            ("./plain", "a path"),
            ("other", "other/bin/python"),
        ] {
            let error = run(python).unwrap_err();
            assert!(
                error.contains("hint: --python") && error.contains(hint),
                "{python}: {error}"
            );
        }
    }

    #[test]
    fn code_and_commands_keep_their_arguments() {
        let place = Place::with(&[("bin/python", ""), ("bin/tool", ""), ("data", "")]);
        let code = Target::Code {
            code: "pass".into(),
            args: vec!["-o".into()],
        };
        assert_eq!(
            place.resolve(&code, None),
            Ok("/bin/python: /bin/python -c pass -o".into())
        );
        let command = |program: &str| {
            let target = Target::Command {
                program: program.into(),
                args: vec!["a".into()],
            };
            place.resolve(&target, None)
        };
        assert_eq!(command("tool"), Ok("/bin/tool: tool a".into()));
        assert_eq!(command("bin/tool"), Ok("/bin/tool: bin/tool a".into()));
        for program in ["data", "./data", "nothing", "", "bin"] {
            let error = command(program).unwrap_err();
            assert!(error.contains("hint: `-- COMMAND`"), "{program}: {error}");
        }
    }

    #[test]
    fn without_any_python_the_cure_is_named() {
        let place = Place::with(&[("s.py", "")]);
        let error = place.script("s.py").unwrap_err();
        assert!(
            error.contains("neither python3 nor python in PATH (/bin)"),
            "{error}"
        );
        assert!(
            error.contains("hint: name the interpreter: --python PATH"),
            "{error}"
        );
    }
}
