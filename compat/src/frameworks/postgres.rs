//! A PostgreSQL server of a run's own, with the log that change data capture reads, and what is asked of it.
//! Shell: processes of Debian's packages, files.
#![allow(clippy::print_stdout, reason = "a run says what it installs")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::prepare_apt;
use crate::failure::{Outcome, While, fail};
use crate::frameworks::debezium::Database;
use crate::ports::free_ports;
use crate::process::{Process, capture, run};

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// Who owns the server's files where the run is root's, which the server refuses to be.
const ACCOUNT: &str = "postgres";

pub(super) struct Postgres {
    process: Process,
    port: u16,
    work_dir: PathBuf,
}

impl Postgres {
    pub(super) fn start(dir: &Path) -> Outcome<Self> {
        prepare_apt("postgresql-15", &Path::new(PROGRAMS).join("postgres"), &|what| {
            println!("debezium: {what}")
        })?;
        let data = dir.join("postgres");
        std::fs::create_dir_all(&data)?;
        if rustix::process::geteuid().is_root() {
            let mut own = Command::new("chown");
            own.arg(ACCOUNT).arg(&data);
            run("chown", &mut own, &dir.join("postgres-prepare.log"), LIMIT)?;
        }
        let mut init = program("initdb");
        init.args(["-A", "trust", "-U", ACCOUNT, "--no-sync", "-D"]).arg(&data);
        run("initdb", &mut init, &dir.join("postgres-prepare.log"), LIMIT)?;
        let [port] = free_ports()?;
        let mut serve = program("postgres");
        serve.arg("-D").arg(&data).args(["-p", &port.to_string()]).args(["-c", "listen_addresses=127.0.0.1"]);
        serve.args(["-c", "wal_level=logical", "-c", "unix_socket_directories="]);
        let process = Process::start("postgres", &mut serve, &dir.join("postgres.log"))?;
        let mut server = Self { process, port, work_dir: dir.to_owned() };
        let deadline = Instant::now() + LIMIT;
        while let Err(failure) = server.ask("SELECT 1") {
            if server.process.exited()?.is_some() || Instant::now() > deadline {
                return fail(format!("{failure}\n{}", server.process.last_output(15)));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(server)
    }
}

impl Database for Postgres {
    fn port(&self) -> u16 {
        self.port
    }

    /// One statement or several; the rows of the answer, a line each.
    fn ask(&self, statements: &str) -> Outcome<String> {
        let mut command = self.client();
        command.args(["-c", statements]);
        Ok(capture("psql", &mut command, None, &self.work_dir, LIMIT)?.output)
    }

    /// psql in its plainest form; it ends at the first statement that fails.
    fn client(&self) -> Command {
        let mut command = Command::new("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]).args([
            "-p",
            &self.port.to_string(),
            "-U",
            ACCOUNT,
            "-d",
            "postgres",
        ]);
        command
    }

    fn stop(&mut self) -> Outcome<()> {
        // Readers of its log keep it from a polite end for long; nothing of it is needed again.
        self.process.kill9().while_doing(|| "ending postgres".to_owned())
    }
}

fn program(name: &str) -> Command {
    let path = Path::new(PROGRAMS).join(name);
    if !rustix::process::geteuid().is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={ACCOUNT}"), &format!("--regid={ACCOUNT}"), "--clear-groups"]).arg(path);
    command
}
