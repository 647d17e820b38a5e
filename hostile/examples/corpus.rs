//! Writes the samples of every entry where cargo-fuzz looks for its first inputs:
//! `fuzz/corpus/NAME/`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, _, samples) in hostile::ENTRIES {
        let folder = corpus.join(name);
        std::fs::create_dir_all(&folder)?;
        for (at, sample) in samples().into_iter().enumerate() {
            std::fs::write(folder.join(format!("sample-{at}")), sample)?;
        }
    }
    Ok(())
}
