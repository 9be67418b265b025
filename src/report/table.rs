//! Aligned columns that fit the width there is.

/// A column: its heading, and how it is set.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub heading: &'static str,
    pub align: Align,
    /// Where not all columns fit, the highest goes first; 0 always stays.
    pub dispensable: u8,
}

/// On which side the blanks go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    Left,
    Right,
}

/// Sets rows below their headings, `indent` blanks in. Cells are taken as they are: escape them first. Columns that do
/// not fit into `width` are left out, the most dispensable first; a column without any content is left out too.
pub fn set(columns: &[Column], rows: &[Vec<String>], indent: usize, width: usize) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let widest = rows
                .iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count());
            match widest.max() {
                None | Some(0) => 0,
                Some(widest) => widest.max(column.heading.len()),
            }
        })
        .collect();
    let mut kept: Vec<usize> = (0..columns.len()).filter(|at| widths[*at] > 0).collect();
    while indent + kept.iter().map(|at| widths[*at] + GAP).sum::<usize>() > width + GAP {
        let first_to_go = kept
            .iter()
            .copied()
            .filter(|at| columns[*at].dispensable > 0)
            .max_by_key(|at| columns[*at].dispensable);
        match first_to_go {
            Some(gone) => kept.retain(|at| *at != gone),
            None => break,
        }
    }

    let mut text = String::new();
    let headings: Vec<String> = columns
        .iter()
        .map(|column| column.heading.to_owned())
        .collect();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = " ".repeat(indent);
        for at in &kept {
            let cell = row.get(*at).map_or("", String::as_str);
            let blanks = " ".repeat(widths[*at].saturating_sub(cell.chars().count()));
            match columns[*at].align {
                Align::Left => line.extend([cell, &blanks]),
                Align::Right => line.extend([&blanks, cell]),
            }
            line.push_str(&" ".repeat(GAP));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Sets items one after another, separated by commas, on as many lines as they need.
pub fn wrap(items: &[String], indent: usize, width: usize) -> String {
    let mut text = String::new();
    let mut line = " ".repeat(indent);
    for (at, item) in items.iter().enumerate() {
        let last = at + 1 == items.len();
        let item = if last {
            item.clone()
        } else {
            format!("{item},")
        };
        let empty = line.trim().is_empty();
        if !empty && line.chars().count() + 1 + item.chars().count() > width {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(indent + 2);
        } else if !empty {
            line.push(' ');
        }
        line.push_str(&item);
    }
    text.push_str(&line);
    text.push('\n');
    text
}

const GAP: usize = 2;
