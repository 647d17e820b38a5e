//! What containers take on the disk, on the page.

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
        super::super::sizes::round(&containers.0, vec![container]).await;
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
