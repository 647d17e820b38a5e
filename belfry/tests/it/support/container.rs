//! What a container of a test is to look like.

use super::engine::IMAGE;

/// A container to run; without any call it sleeps, alone, until it is stopped.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    options: Vec<String>,
    network: String,
    image: String,
    command: Vec<String>,
}

impl Container {
    /// A container with a name.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            options: vec!["--name".to_owned(), name.to_owned()],
            network: "none".to_owned(),
            image: IMAGE.to_owned(),
            command: sh("trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"),
        }
    }

    /// Runs under another name of the image, one of [`super::engine::LOOKALIKES`].
    pub(crate) fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    /// Runs a shell script.
    pub(crate) fn script(mut self, script: &str) -> Self {
        self.command = sh(script);
        self
    }

    /// Carries a label.
    pub(crate) fn label(self, name: &str, value: &str) -> Self {
        self.option("--label", &format!("{name}={value}"))
    }

    /// Belongs to a compose project, as its labels say.
    pub(crate) fn compose(self, project: &str, service: &str) -> Self {
        self.label("com.docker.compose.project", project)
            .label("com.docker.compose.service", service)
    }

    /// Is checked by a shell command once a second; three failures make it unhealthy.
    pub(crate) fn health(self, script: &str) -> Self {
        self.option("--health-cmd", script)
            .option("--health-interval", "1s")
            .option("--health-retries", "3")
    }

    /// Joins a network made by `Engine::create_network`.
    pub(crate) fn network(mut self, name: &str) -> Self {
        name.clone_into(&mut self.network);
        self
    }

    /// Any other option of `docker run`, such as `--memory 32m` or `--restart always`.
    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        self.options.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// The arguments for the client.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let start = ["run", "--detach", "--network", &self.network].map(str::to_owned);
        let image = std::iter::once(&self.image);
        start
            .into_iter()
            .chain(
                self.options
                    .iter()
                    .chain(image)
                    .chain(&self.command)
                    .cloned(),
            )
            .collect()
    }
}

fn sh(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}
