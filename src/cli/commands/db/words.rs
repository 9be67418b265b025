//! What `db` was asked to do.

use std::path::PathBuf;

use halfopen::plan::{Mistake, nearest, quote};
use halfopen::store::feeds::Feed;

use super::Db;

/// An action with what it needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    Import {
        feed: Feed,
        files: Vec<PathBuf>,
    },
    Update {
        feeds: Vec<Feed>,
        from: Option<Base>,
    },
    Status(Format),
}

/// How the status is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Text,
    Json,
}

/// The address of a place that has the publishers' files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base(String);

impl Base {
    /// The address of a file there.
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

/// Reads the words.
///
/// # Errors
/// All that is wrong with them.
pub fn asked(args: &Db) -> Result<Asked, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let (action, rest) = match args.words.split_first() {
        Some((action, rest)) => (action.as_str(), rest),
        None => ("", &[][..]),
    };
    if args.from.is_some() && action != "update" {
        mistakes.push(Mistake::new("--from belongs to db update"));
    }
    if args.json && action != "status" {
        mistakes.push(Mistake::new("--json belongs to db status"));
    }
    let asked = match action {
        "import" => import(rest),
        "update" => update(rest, args.from.as_deref()),
        "status" => match rest.first() {
            None if args.json => Ok(Asked::Status(Format::Json)),
            None => Ok(Asked::Status(Format::Text)),
            Some(word) => Err(vec![Mistake::about(
                word,
                "has no meaning for db status",
                "write halfopen db status",
            )]),
        },
        "" => Err(vec![Mistake::new(
            "no action given; write halfopen db import, update or status",
        )]),
        other => Err(vec![unknown("action", other, &ACTIONS)]),
    };
    match asked {
        Ok(asked) if mistakes.is_empty() => Ok(asked),
        Ok(_) => Err(mistakes),
        Err(more) => {
            mistakes.extend(more);
            Err(mistakes)
        }
    }
}

fn import(words: &[String]) -> Result<Asked, Vec<Mistake>> {
    let Some((feed, files)) = words.split_first() else {
        return Err(vec![Mistake::new(format!(
            "no feed given; write halfopen db import FEED FILE..., a feed is {}",
            feeds().join(", ")
        ))]);
    };
    let mut mistakes = Vec::new();
    let feed = feed_named(feed).map_err(|mistake| mistakes.push(mistake));
    if files.is_empty() {
        mistakes.push(Mistake::new(
            "no files given; write halfopen db import FEED FILE...",
        ));
    }
    if files.iter().any(String::is_empty) {
        mistakes.push(Mistake::new("a file has an empty name"));
    }
    match (feed, &mistakes[..]) {
        (Ok(feed), []) => Ok(Asked::Import {
            feed,
            files: files.iter().map(PathBuf::from).collect(),
        }),
        _ => Err(mistakes),
    }
}

fn update(words: &[String], from: Option<&str>) -> Result<Asked, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut feeds = Vec::new();
    for word in words {
        match feed_named(word) {
            Ok(feed) if feeds.contains(&feed) => {}
            Ok(feed) => feeds.push(feed),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if words.is_empty() {
        feeds = USUAL.to_vec();
    }
    let from = from
        .map(base)
        .transpose()
        .map_err(|mistake| mistakes.push(mistake));
    match (from, &mistakes[..]) {
        (Ok(from), []) => Ok(Asked::Update { feeds, from }),
        _ => Err(mistakes),
    }
}

fn base(text: &str) -> Result<Base, Mistake> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let fits = |rest: &str| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && rest
                .chars()
                .all(|c| c.is_ascii_graphic() && !"?#\"<>\\^`{|}".contains(c))
    };
    match rest {
        Some(rest) if fits(rest) => Ok(Base(text.trim_end_matches('/').to_owned())),
        _ => Err(Mistake::about(
            text,
            "is no address of files",
            "write --from https://host/folder",
        )),
    }
}

fn feed_named(word: &str) -> Result<Feed, Mistake> {
    let feed = Feed::ALL.into_iter().find(|feed| feed.name() == word);
    feed.ok_or_else(|| unknown("feed", word, &feeds()))
}

fn unknown(what: &str, word: &str, known: &[&str]) -> Mistake {
    let right = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write {}", known.join(", ")),
    };
    Mistake::new(format!("unknown {what} {}; {right}", quote(word)))
}

fn feeds() -> [&'static str; 5] {
    Feed::ALL.map(Feed::name)
}

const ACTIONS: [&str; 3] = ["import", "update", "status"];
/// The CVE List says of most software what NVD says, and has half a GiB.
const USUAL: [Feed; 4] = [Feed::Nvd, Feed::Osv, Feed::Kev, Feed::Epss];
