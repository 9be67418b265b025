//! CISA's catalogue of exploited vulnerabilities: `{"dateReleased":..., "vulnerabilities":[{"cveID":...}]}`.

use std::io::Read;

use serde::Deserialize;

use crate::store::feeds::{Broken, More, Statement, Take, day, stream};

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "cveID")]
    id: String,
}

pub fn read(input: &mut dyn Read, take: &mut Take<'_>) -> Result<More, Broken> {
    let mut more = More::default();
    let released = stream::elements(
        input,
        "dateReleased",
        "vulnerabilities",
        &mut |item: Item| {
            let Ok(id) = item.id.parse() else {
                more.left_out += 1;
                return Ok(());
            };
            take(Statement::Exploited { id })
        },
    )?;
    more.dated = released.as_deref().and_then(day);
    Ok(more)
}
