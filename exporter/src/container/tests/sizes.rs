//! What containers take on the disk, on the page.

use bollard::models::DriverData;

use super::super::sizes;
use super::*;

#[tokio::test]
async fn what_could_not_all_be_added_up_is_said_and_its_size_is_not_told() {
    let tree = v1_tree();
    write(tree.path(), "layer/file", &"x".repeat(100_000));
    write(tree.path(), "kept/x-json.log", "a line\n");
    let containers = containers(tree.path());
    runs(&containers, &[(1, 7)]);
    let mut container = Container::clone(&containers.inventory()[0]);
    container.layer = "/layer".into();
    container.log_path = "/kept/x-json.log".into();
    let own = "name=\"web-1\"";
    let page = async || {
        let container = Arc::new(container.clone());
        sizes::round(&containers.0, vec![container]).await;
        let page = containers.page().await;
        let of = |family: &str| value(&page, family, own);
        (
            of("belfry_container_files_complete"),
            of("container_fs_usage_bytes"),
            of("belfry_container_log_bytes"),
        )
    };
    let (complete, usage, log) = page().await;
    assert_eq!((complete, log), (Some(1.0), Some(7.0)));
    assert!(usage > Some(100_000.0), "{usage:?}");
    // Its folder is hidden from us.
    std::fs::remove_dir_all(tree.path().join("kept")).unwrap();
    assert_eq!(page().await, (Some(0.0), None, None));
    std::fs::remove_dir_all(tree.path().join("layer")).unwrap();
    assert_eq!(page().await, (None, None, None));
}

#[tokio::test]
async fn one_that_is_inspected_late_need_not_wait_for_a_whole_round() {
    let tree = v1_tree();
    write(tree.path(), "layer/file", "x");
    let containers = containers(tree.path());
    let stop = CancellationToken::new();
    let adding = tokio::spawn({
        let (containers, stop) = (containers.clone(), stop.clone());
        async move { sizes::run(&containers.0, &stop).await }
    });
    let known = async |wanted: fn(&sizes::Size) -> bool| {
        let every = containers.0.sizes_every;
        while !containers
            .0
            .sizes
            .of(&id(1), every)
            .is_some_and(|size| wanted(&size))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let row = ContainerSummary {
        id: Some(id(1)),
        names: Some(vec!["/web-1".into()]),
        state: Some(ContainerSummaryStateEnum::EXITED),
        ..ContainerSummary::default()
    };
    let asked = containers.0.inventory().listing();
    let changed = containers.0.inventory().listed(vec![row], asked);
    containers.0.told(changed);
    known(|size| size.files.is_none()).await;

    let question = containers.0.inventory().next_question().unwrap();
    let answer = ContainerInspectResponse {
        graph_driver: Some(DriverData {
            name: "overlay2".into(),
            data: HashMap::from([("UpperDir".into(), "/layer".into())]),
        }),
        host_config: Some(HostConfig::default()),
        ..ContainerInspectResponse::default()
    };
    let changed = containers.0.inventory().inspected(&question, answer);
    containers.0.told(changed);
    let soon = tokio::time::timeout(
        containers.0.sizes_every / 2,
        known(|size| size.files.is_some()),
    );
    assert!(soon.await.is_ok(), "it waited for the next round");
    stop.cancel();
    adding.await.unwrap();
}
