//! The command line: what can be asked, and how it is answered.

mod ack;
mod alerts;
mod backup;
mod bounce;
mod check;
mod client;
mod exporter;
mod generate;
mod health;
mod offline;
mod ping;
mod prometheus;
mod query;
mod reference;
mod rules;
mod run;
mod runbook;
mod state;
mod status;
mod why;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::alertmanager;
use crate::exit::{self, Exit};
use crate::out;

/// Watches a Docker host, pages a person by mail, and proves that its backups
/// restore.
///
/// Without a command it runs the watch; without a configuration it watches all
/// that it finds on this host and shows it at http://127.0.0.1:9911.
#[derive(Debug, Parser)]
#[command(name = "belfry", version, after_help = EXIT_CODES, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 warning, 2 critical, 3 usage or unknown.";

/// Where the configuration and the data are; good with every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The configuration file [default: ./belfry.yml or /etc/belfry/belfry.yml, if there is one]
    #[arg(long, short, global = true, value_name = "FILE", env = "BELFRY_CONFIG")]
    pub config: Option<PathBuf>,
    /// The data folder [default: /var/lib/belfry, or ~/.local/state/belfry for other users than root]
    #[arg(long, short, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The address to serve; port 0 takes a free one [default: 127.0.0.1:9911]
    #[arg(long, short, global = true, value_name = "ADDR")]
    pub listen: Option<std::net::SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the watch (this is the default)
    Run,
    /// Run the exporters alone, for a Prometheus beside
    Exporter(exporter::Exporter),
    /// Check the configuration and what it names, and tell all faults at once
    Check {
        /// Also send a test mail to the first recipient
        #[arg(long)]
        send_test: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show on one screen how this host is; the exit code is the worst severity
    Status {
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// List what fires, who has taken it on and what comes next; or the history
    Alerts(alerts::Alerts),
    /// Take an alert on: it is mailed no more until it ends or others join
    Ack(ack::Ack),
    /// Ask an expression, and see its value or its course
    Query(query::Query),
    /// Be in Prometheus' place: its flags, its prometheus.yml, its API
    Prometheus(Box<prometheus::Flags>),
    /// Run the alerter alone, in Alertmanager's place: its file, its flags, its API
    Alertmanager(Box<alertmanager::Flags>),
    /// Tell why somebody was mailed about an alert, or nobody was
    Why(why::Why),
    /// Take a mail that came back from the mail server, by standard input
    Bounce(bounce::Command),
    /// Backups: make, list, verify and restore them
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Propose a configuration: backup jobs for all databases and volumes here
    ///
    /// Databases are asked for with psql in the containers of PostgreSQL servers.
    Init(backup::init::Init),
    /// Restore a database, folder or volume from a backup, in place of the live one
    Restore(backup::restore::RestoreCommand),
    /// Configuration: print every key
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The data folder: check what is in it
    #[command(subcommand)]
    State(StateCommand),
    /// Rule files: check, test or format them, or write the shipped ones
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Tell whether Belfry, or a service, is ready; made for health checks
    Health(health::Health),
    /// Tell a heartbeat that its job ran, or run the job and tell how it ended
    Ping(ping::Ping),
    /// Print the runbook of this name, or list all
    ///
    /// What runs on this host is filled into its commands when a belfry runs
    /// here; what an alert names can be given as LABEL=VALUE.
    Runbook {
        /// The name, as alerts and mails give it
        name: Option<String>,
        /// Labels of the alert, such as name=shop-api-1 or mountpoint=/var
        #[arg(value_name = "LABEL=VALUE", value_parser = runbook::label)]
        labels: Vec<(String, String)>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the version
    Version {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every key with its type, default, environment variable and meaning
    Reference {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum StateCommand {
    /// Check the database and the series files; nothing is changed
    Check {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Parses the arguments and does what they ask.
pub(crate) fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let mut idle = Vec::new();
    if words.get(1).is_some_and(|word| word == "prometheus") {
        match prometheus::sift(&words) {
            Ok((left, found)) => (words, idle) = (left, found),
            Err(reason) => {
                out::error(format_args!("belfry: {reason}"));
                return exit::USAGE.into();
            }
        }
    }
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(err) => {
            // Help and version are answers, not errors; a closed pipe is neither.
            let of_mail = std::env::args_os().any(|it| it == "bounce");
            let code = match (err.use_stderr(), of_mail) {
                (false, _) => exit::OK,
                (true, true) => bounce::USAGE,
                (true, false) => exit::USAGE,
            };
            out::note(err.print());
            return out::end(code).into();
        }
    };
    let code = match cli.command.unwrap_or(Command::Run) {
        // The watch goes on whether or not somebody reads what it says first.
        Command::Run => return run::run(&cli.place).into(),
        Command::Query(query) => either(query::run(&cli.place, &query)),
        Command::Exporter(which) => return exporter::run(&cli.place, &which).into(),
        Command::Prometheus(flags) => return prometheus::run(&cli.place, *flags, &idle).into(),
        Command::Alertmanager(flags) => return alertmanager::run(&flags).into(),
        Command::Check { send_test, json } => check::run(&cli.place, send_test, json),
        Command::Status { json } => either(status::run(&cli.place, json)),
        Command::Alerts(wanted) => either(alerts::run(&cli.place, &wanted)),
        Command::Why(why) => either(why::run(&cli.place, &why)),
        Command::Ack(ack) => either(ack::run(&cli.place, &ack)),
        Command::Bounce(command) => bounce::run(&cli.place, &command),
        Command::Backup(command) => either(backup::run(&cli.place, &command)),
        Command::Init(init) => either(backup::init::run(&cli.place, &init)),
        Command::Restore(command) => either(backup::restore::run(&cli.place, &command)),
        Command::Config(ConfigCommand::Reference { json }) => reference::run(json),
        Command::State(StateCommand::Check { json }) => either(state::check(&cli.place, json)),
        Command::Rules(command) => rules::run(&command, &cli.place),
        Command::Health(health) => either(health::run(&cli.place, &health)),
        Command::Ping(ping) => either(ping::run(&cli.place, &ping)),
        Command::Runbook { name, labels, json } => {
            either(runbook::run(&cli.place, name.as_deref(), labels, json))
        }
        Command::Completions { shell } => generate::completions(shell),
        Command::Man => generate::man(),
        Command::Version { json } => generate::version(json),
    };
    out::end(code).into()
}

fn either(code: Result<Exit, Exit>) -> Exit {
    code.unwrap_or_else(|code| code)
}
