//! Compose files, with the variables beside them.

use std::io;
use std::path::{Path, PathBuf};

/// Reads a project of the file, which may include and extend itself, and of a
/// `.env` that holds the same bytes.
///
/// # Panics
/// If a name is longer than a label may be, or a project larger than it may be.
pub fn compose_files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let read = |path: &Path| match path.file_name().and_then(|name| name.to_str()) {
        Some("compose.yaml" | ".env") => Ok(text.clone()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let folder = PathBuf::from("/srv/shop");
    let source = compose::Source {
        files: compose::usual_files(&folder, &read),
        folder,
        ..compose::Source::default()
    };
    let Ok(project) = compose::load(&source, &read) else {
        return;
    };
    assert!(project.services.len() <= 1000);
    for (name, service) in &project.services {
        let names = [name, &service.image].into_iter();
        let names = names.chain(&service.networks).chain(&service.volumes);
        let names = names.chain([&service.container_name, &service.probe]);
        for name in names {
            assert!(name.chars().count() <= 256, "{name}");
        }
        assert!(service.ports.len() <= 256, "{}", service.ports.len());
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "x-base: &base {restart: always}\nservices:\n  db: {<<: *base, image: 'pg:${TAG:-16}', volumes: ['data:/d']}\n  \
         api:\n    extends: {service: db}\n    scale: 2\n    depends_on: {db: {condition: service_healthy}}\n    profiles: [web]\n    \
         labels: [belfry.probe=http_2xx :80/]\n    ports: ['8080-8090:80-90', {target: 80, published: '81'}, '[::1]:1:1/tcp']\n\
         volumes: {data: {name: '${P:?}'}}\nnetworks: {n: {external: true}}\n",
        "name: shop\ninclude: [compose.yaml]\nservices: {a: {extends: a}}\n",
        "services: {a: !reset null, b: !override {networks: [x, y]}}\nTAG=\"1\" # x\nexport B='$TAG'\n",
        "include:\n- path: [compose.yaml, compose.yaml]\n  env_file: .env\n  project_directory: ..\n",
    ])
}
