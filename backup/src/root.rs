//! Where the files of a job lie on this host: a folder that the configuration
//! names, or the one of a Docker volume, as the engine tells it.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::ListVolumesOptions;
use tokio::time::timeout;

use crate::manifest::Volume;
use crate::{Job, Setup};

const PATIENCE: Duration = Duration::from_secs(30);

/// The root of a job's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The folder.
    pub path: PathBuf,
    /// The volume that it is of, if it is.
    pub volume: Option<Volume>,
}

impl Root {
    /// Finds the root of a job.
    ///
    /// # Errors
    /// When there is no such volume, or no engine that could tell.
    pub async fn of(setup: &Setup, job: &Job) -> Result<Self, String> {
        if job.volume.is_empty() {
            return Ok(Self {
                path: job.directory.clone(),
                volume: None,
            });
        }
        let engine = setup
            .engine
            .as_ref()
            .ok_or_else(|| format!("{} is a volume, and no engine is there", job.volume))?;
        let name = name(engine, job).await?;
        Self::of_volume(engine, &name).await
    }

    /// Finds the root of a volume.
    ///
    /// # Errors
    /// When there is none, or it is not to be had now.
    pub async fn of_volume(engine: &Docker, name: &str) -> Result<Self, String> {
        let found = timeout(PATIENCE, engine.inspect_volume(name)).await;
        let found = found.map_err(|_| "the engine does not answer")?;
        let found = found.map_err(|err| told(name, &err))?;
        let root = Self {
            path: PathBuf::from(&found.mountpoint),
            volume: Some(Volume {
                name: found.name,
                driver: found.driver,
                labels: found.labels.into_iter().collect(),
                options: found.options.into_iter().collect(),
            }),
        };
        root.mounted()?;
        Ok(root)
    }

    /// A volume on a device of its own is mounted only while a container uses it;
    /// what would be read otherwise is an empty folder.
    fn mounted(&self) -> Result<(), String> {
        let device = self
            .volume
            .as_ref()
            .and_then(|volume| volume.options.get("device"));
        let number = |path: &Path| std::fs::metadata(path).map(|about| about.dev()).ok();
        let parent = self.path.parent().unwrap_or(&self.path);
        if device.is_some() && number(&self.path) == number(parent) {
            return Err(format!(
                "{}: the volume is mounted only while a container uses it, and none does",
                self.path.display()
            ));
        }
        Ok(())
    }
}

/// The name of a job's volume, by the labels that compose gives it where a project
/// is named.
async fn name(engine: &Docker, job: &Job) -> Result<String, String> {
    if job.project.is_empty() {
        return Ok(job.volume.clone());
    }
    let labels = vec![
        format!("com.docker.compose.project={}", job.project),
        format!("com.docker.compose.volume={}", job.volume),
    ];
    let options = ListVolumesOptions {
        filters: Some(HashMap::from([("label".to_owned(), labels)])),
    };
    let found = timeout(PATIENCE, engine.list_volumes(Some(options))).await;
    let found = found.map_err(|_| "the engine does not answer")?;
    let found = found.map_err(|err| told(&job.volume, &err))?;
    let mut found = found.volumes.unwrap_or_default();
    match (found.pop(), found.is_empty()) {
        (Some(volume), true) => Ok(volume.name),
        (None, _) => Err(format!(
            "no volume is called {} in the project {}",
            job.volume, job.project
        )),
        (Some(_), false) => Err(format!(
            "several volumes are called {} in the project {}",
            job.volume, job.project
        )),
    }
}

fn told(name: &str, err: &bollard::errors::Error) -> String {
    match err {
        bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        } => format!("there is no volume {name}"),
        err => err.to_string().chars().take(200).collect(),
    }
}
