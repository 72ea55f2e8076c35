//! A MariaDB of the run's own, with a log of rows; from Debian's packages without its service.
//! Shell: package manager, server and clients as child processes.
#![allow(clippy::print_stdout, reason = "a run says what it installs")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::prepare_apt;
use crate::failure::{Outcome, While, fail};
use crate::frameworks::debezium::Database;
use crate::ports::free_ports;
use crate::process::{Process, capture, run};

const SERVER: &str = "/usr/sbin/mariadbd";
const CLIENT: &str = "/usr/bin/mariadb";
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// Quotation marks quote names, as they do in PostgreSQL.
const MODE: &str = "--sql-mode=ANSI_QUOTES,STRICT_TRANS_TABLES";

pub(super) struct MariaDb {
    process: Process,
    port: u16,
    work_dir: PathBuf,
}

impl MariaDb {
    pub(super) fn start(dir: &Path) -> Outcome<Self> {
        let say = |what: &str| println!("debezium: {what}");
        prepare_apt("mariadb-server-core", Path::new(SERVER), &say)?;
        prepare_apt("mariadb-client-core", Path::new(CLIENT), &say)?;
        let (data, log) = (dir.join("mariadb"), dir.join("mariadb.log"));
        let data_word = format!("--datadir={}", data.display());
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        run("mariadb-install-db", install.args(["--user=root", &data_word]), &log, LIMIT)?;
        let [port] = free_ports()?;
        let mut serve = Command::new(SERVER);
        serve.args([
            "--no-defaults",
            "--user=root",
            "--bind-address=127.0.0.1",
            "--socket=mariadb.sock",
            MODE,
        ]);
        serve.args(["--log-bin=rows", "--binlog-format=ROW", "--server-id=1", "--skip-name-resolve"]);
        serve.arg(format!("--port={port}")).arg(&data_word);
        let process = Process::start("mariadbd", &mut serve, &log)?;
        let mut server = Self { process, port, work_dir: dir.to_owned() };
        let deadline = Instant::now() + LIMIT;
        while let Err(failure) = server.tell(server.outside(), "CREATE DATABASE IF NOT EXISTS shop") {
            if server.process.exited()?.is_some() || Instant::now() > deadline {
                return fail(format!("{failure}\n{}", server.process.last_output(15)));
            }
            std::thread::sleep(PAUSE);
        }
        server.ask("CREATE USER cdc IDENTIFIED BY 'none'; GRANT ALL ON *.* TO cdc")?;
        Ok(server)
    }
}

impl Database for MariaDb {
    fn port(&self) -> u16 {
        self.port
    }

    fn ask(&self, statements: &str) -> Outcome<String> {
        self.tell(self.client(), statements)
    }

    fn client(&self) -> Command {
        let mut command = self.outside();
        command.args(["-D", "shop"]);
        command
    }

    fn stop(&mut self) -> Outcome<()> {
        self.process.kill9().while_doing(|| "ending mariadbd".to_owned())
    }
}

impl MariaDb {
    fn tell(&self, mut client: Command, statements: &str) -> Outcome<String> {
        client.args(["-e", statements]);
        Ok(capture("mariadb", &mut client, None, &self.work_dir, LIMIT)?.output)
    }

    /// The client in its plainest form, in no database.
    fn outside(&self) -> Command {
        let mut command = Command::new(CLIENT);
        command.args(["--no-defaults", "-N", "-B", "-h", "127.0.0.1", "-u", "root"]);
        command.arg(format!("--port={}", self.port));
        command
    }
}
