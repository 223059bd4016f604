//! Plans that failed once are played again: what was mended stays mended.

use sim::{Kept, Options, run};
use std::path::Path;

#[test]
fn what_failed_once_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let files = std::fs::read_dir(&folder).expect("the folder is there");
    let mut played = 0;
    for file in files {
        let path = file.expect("it can be listed").path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let name = path.display();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let kept = Kept::read(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let story = kept.story.trim();
        assert!(
            !story.is_empty() && !story.contains('\n'),
            "{name}: no story of one line"
        );
        let outcome = run(&kept.plan, Options::default());
        assert_eq!(outcome.unfinished, None, "{name}");
        assert!(outcome.broken.is_empty(), "{name}: {:?}", outcome.broken);
        played += 1;
    }
    assert!(played > 0, "there are plans in {}", folder.display());
}
