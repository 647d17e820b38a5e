//! A drill in a container of its own: a server of the live one's image, in which
//! nothing is but the backup. It has no network, no port and nobody's volume, little
//! memory, and an end: it is taken away whatever comes of the drill, by the next who
//! looks where we died, and by the engine when its time is over.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptionsBuilder,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::ours::{ENGINE, WORK, all, asked, remove, work};
use crate::postgres::{Server, Session};
use crate::run::Lock;
use crate::tool::{Call, Place};
use crate::{Job, Setup};

/// Whose drill a container is of.
const JOB: &str = "belfry.drill";
/// Where the server in it keeps all that it has.
const HOME: &str = "/tmp/belfry-drill";
/// The first line that names a cause, but those that refuse us while it starts; the last
/// one only says that it ended.
const WHY: &str = "grep -E 'FATAL|PANIC' /tmp/belfry-drill/log | grep -v -m 1 'the database system is' \
    || tail -n 1 /tmp/belfry-drill/log";
/// How long a server may take to begin.
const BEGINNING: Duration = Duration::from_secs(180);

/// Makes a cluster, serves it, and ends all of that after `LIMIT` seconds. What is lost
/// when the power fails is lost anyway. What the live server preloads is preloaded, since
/// some extensions do not work without; no worker of it runs.
const SCRIPT: &str = r#"set -e
mkdir -p /tmp "$HOME_OF"
serve="export PATH='$PATH'; initdb -U postgres -A trust -N -E UTF8 --locale=C -D '$HOME_OF/data' >'$HOME_OF/log' 2>&1 &&
exec postgres -D '$HOME_OF/data' -k '$HOME_OF' -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=20 \
-c shared_buffers=32MB -c maintenance_work_mem=64MB -c max_wal_size=256MB -c jit=off -c logging_collector=off \
-c shared_preload_libraries='$PRELOAD' -c max_worker_processes=0 >>'$HOME_OF/log' 2>&1"
if [ "$(id -u)" = 0 ]; then
  grep -q ^postgres: /etc/passwd || echo 'postgres:x:999:999::/tmp:/bin/sh' >>/etc/passwd
  chown postgres "$HOME_OF"
  su postgres -s /bin/sh -c "$serve" &
else
  sh -c "$serve" &
fi
exec sleep "$LIMIT""#;

/// A container that goes with this value.
pub(super) struct Apart {
    engine: Docker,
    /// Its number: another may come to have its name.
    id: String,
    /// What it is marked with.
    work: String,
    /// Whether somebody has to see to it that it goes.
    there: bool,
    /// Its server.
    pub(super) server: Server,
}

impl Apart {
    /// Begins a server like that of the job, for as long as the job may take, with what
    /// the one that was backed up preloads.
    pub(super) async fn begin(setup: &Setup, job: &Job, preload: &str) -> Result<Self, String> {
        let engine = setup.engine.clone().ok_or("no engine is there")?;
        let live = engine.inspect_container(&job.container, None::<InspectContainerOptions>);
        let live = asked(live).await?;
        let config = live.config.unwrap_or_default();
        let name = format!("belfry-drill-{}", job.name);
        let work = work(setup)?;
        remove(&engine, &work, &name)
            .await
            .map_err(|stays| stays.to_string())?;
        let limit = job.timeout.as_secs().saturating_add(120);
        // What else it is told may be secret, and is of the live one alone.
        let kept = ["PATH=", "LANG=", "LC_", "LD_LIBRARY_PATH="];
        let env = config.env.unwrap_or_default().into_iter();
        let mut env: Vec<_> = env
            .filter(|line| kept.iter().any(|start| line.starts_with(start)))
            .collect();
        env.extend([format!("HOME_OF={HOME}"), format!("LIMIT={limit}")]);
        env.push(format!("PRELOAD={}", libraries(preload)));
        let labels = [(JOB, job.name.clone()), (WORK, work.clone())];
        let labels = labels.map(|(key, value)| (key.to_owned(), value));
        let body = ContainerCreateBody {
            // By its number: nothing is ever pulled.
            image: live.image.or(config.image),
            env: Some(env),
            user: config.user,
            entrypoint: Some(["sh", "-c", SCRIPT].map(str::to_owned).to_vec()),
            cmd: Some(Vec::new()),
            labels: Some(HashMap::from(labels)),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(limits(job)),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptions {
            name: Some(name.clone()),
            ..CreateContainerOptions::default()
        };
        let server = Server {
            place: Place::Container {
                engine: engine.clone(),
                name: String::new(),
            },
            host: HOME.to_owned(),
            port: 0,
            user: "postgres".to_owned(),
            password: settings::Secret::default(),
            database: "postgres".to_owned(),
            tls: false,
            ..setup.server(job)?
        };
        let made = Self {
            engine: engine.clone(),
            id: String::new(),
            work: work.clone(),
            there: false,
            server,
        };
        let apart = match made.created(options, body).await {
            Ok(apart) => apart,
            // It may have been made nevertheless.
            Err(err) => {
                return Err(match remove(&engine, &work, &name).await {
                    Ok(()) => err,
                    Err(worse) => format!("{err}; and {worse}"),
                });
            }
        };
        let started = asked(apart.engine.start_container(&apart.id, None)).await;
        let begun = async {
            started?;
            apart.answers().await
        };
        match begun.await {
            Ok(()) => Ok(apart),
            Err(err) => Err(match apart.end().await {
                Ok(()) => err,
                Err(worse) => format!("{err}; and {worse}"),
            }),
        }
    }

    /// Makes it. The engine goes on when nobody waits for it any more: then what it has
    /// made goes with the value that nobody takes.
    async fn created(
        mut self,
        options: CreateContainerOptions,
        body: ContainerCreateBody,
    ) -> Result<Self, String> {
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let made = asked(self.engine.create_container(Some(options), body)).await;
            let made = made.map(|made| {
                self.server.place = Place::Container {
                    engine: self.engine.clone(),
                    name: made.id.clone(),
                };
                (self.id, self.there) = (made.id, true);
                self
            });
            let _ = tell.send(made);
        });
        let gone = |_| Err("nobody makes it any more".to_owned());
        told.await.unwrap_or_else(gone)
    }

    /// Waits until its server answers.
    async fn answers(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let opened = match Session::open(&self.server).await {
                Ok(session) => session.close().await,
                Err(err) => Err(err),
            };
            let Err(err) = opened else { return Ok(()) };
            if began.elapsed() > BEGINNING {
                let log = self.log().await.unwrap_or_else(|| err.to_string());
                return Err(format!("no server begins in a container of its own: {log}"));
            }
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Why its server did not begin, or else what it said last.
    async fn log(&self) -> Option<String> {
        let call = Call {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), WHY.to_owned()],
            environment: Vec::new(),
            password: settings::Secret::default(),
            input: false,
        };
        let text = self
            .server
            .place
            .start(call)
            .await
            .ok()?
            .text()
            .await
            .ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.chars().take(200).collect())
    }

    /// Takes it away.
    pub(super) async fn end(mut self) -> Result<(), String> {
        let gone = remove(&self.engine, &self.work, &self.id).await;
        self.there = gone.is_err();
        gone.map_err(|stays| stays.to_string())
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if !self.there {
            return;
        }
        // Whoever wanted it has gone: it goes as well as it can.
        let (engine, id) = (self.engine.clone(), self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(ENGINE, engine.remove_container(&id, Some(all()))).await;
            });
        }
    }
}

/// Names of libraries as a server takes them; any that is odd is left out.
fn libraries(preload: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.$/".contains(letter);
    // The server puts quotes around what is no plain word.
    let names = preload.split(',').map(|name| name.trim().trim_matches('"'));
    let names: Vec<_> = names
        .filter(|name| !name.is_empty() && name.chars().all(plain))
        .collect();
    names.join(",")
}

fn limits(job: &Job) -> HostConfig {
    let memory = i64::try_from(job.drill_memory.bytes()).unwrap_or(i64::MAX);
    let able = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];
    HostConfig {
        network_mode: Some("none".to_owned()),
        memory: Some(memory),
        // No more with swap.
        memory_swap: Some(memory),
        cpu_shares: Some(256),
        pids_limit: Some(200),
        shm_size: Some(64 << 20),
        auto_remove: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(able.map(str::to_owned).to_vec()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        ..HostConfig::default()
    }
}

/// Takes away what drills that died have left, of all jobs; how many containers those
/// were. Drills that go on are left alone.
///
/// # Errors
/// When the engine does not do it, or not for each of them.
pub async fn sweep(setup: &Setup) -> Result<usize, String> {
    let Some(engine) = &setup.engine else {
        return Ok(0);
    };
    // Without a folder nothing can be marked with it.
    let Ok(work) = work(setup) else {
        return Ok(0);
    };
    let ours = HashMap::from([("label", vec![format!("{WORK}={work}")])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours);
    let mut gone = 0;
    let mut failed = Vec::new();
    for found in asked(engine.list_containers(Some(options.build()))).await? {
        let labels = found.labels.unwrap_or_default();
        let (Some(job), Some(id)) = (labels.get(JOB), found.id) else {
            continue;
        };
        let Ok(_lock) = Lock::take(&setup.work, job) else {
            continue;
        };
        match remove(engine, &work, &id).await {
            Ok(()) => gone += 1,
            Err(stays) => failed.push(stays.to_string()),
        }
    }
    if failed.is_empty() {
        Ok(gone)
    } else {
        Err(failed.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_taken_out_of_their_quotes_and_odd_ones_are_left_out() {
        let names = libraries("pg_cron, \"$libdir/b-c\",, x'y");
        assert_eq!(names, "pg_cron,$libdir/b-c");
    }
}
