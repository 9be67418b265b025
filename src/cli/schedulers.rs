//! Which part of a scan this task is, as its scheduler says in the environment: `--shard auto` and `--shard auto/N`.
//!
//! Pure: the variables come in as arguments. A task that takes the wrong part leaves a hole that nobody sees, so whatever is
//! not plain is a mistake, never a guess.

use std::collections::BTreeMap;

use halfopen::plan::{Mistake, Shard, quote};

use crate::cli::quantity;

/// What the environment says of this task: those of [`VARIABLES`] that are set.
pub type Environment = BTreeMap<&'static str, String>;

/// Every variable that is read.
pub const VARIABLES: [&str; 12] = [
    ARRAY_ID,
    ARRAY_MIN,
    ARRAY_MAX,
    ARRAY_STEP,
    ARRAY_COUNT,
    PROC_ID,
    STEP_TASKS,
    NTASKS,
    KUBERNETES,
    AWS_INDEX,
    AWS_SIZE,
    NOMAD,
];

/// The part that the scheduler gave this task. `parts` is what the user said of how many there are; Kubernetes and Nomad
/// number their tasks, but do not tell them that.
///
/// # Errors
/// No scheduler, several, or one whose numbers do not say which part of how many.
pub fn shard(parts: Option<u64>, environment: &Environment) -> Result<Shard, Mistake> {
    let numbers = Numbers { environment };
    let mut found: Vec<Task> = Vec::new();
    found.extend(numbers.slurm()?);
    found.extend(numbers.task("Kubernetes", KUBERNETES, None)?);
    found.extend(numbers.task("AWS Batch", AWS_INDEX, Some(AWS_SIZE))?);
    found.extend(numbers.task("Nomad", NOMAD, None)?);
    let task = match found.as_slice() {
        [task] => task,
        [] => {
            return Err(Mistake::new(format!(
                "--shard auto found no task number; looked for {ARRAY_ID} and {PROC_ID} (Slurm), {KUBERNETES} (Kubernetes \
                 Indexed Job), {AWS_INDEX} (AWS Batch) and {NOMAD} (Nomad); write --shard I/N"
            )));
        }
        [one, other, ..] => {
            return Err(Mistake::new(format!(
                "{} and {} both number this task; write --shard I/N",
                one.scheduler, other.scheduler
            )));
        }
    };
    let count = match (task.count, parts) {
        (Some(count), Some(parts)) if count != parts => {
            return Err(Mistake::new(format!(
                "--shard auto/{parts}, but {} runs {count} tasks; write --shard auto",
                task.scheduler
            )));
        }
        (Some(count), _) | (None, Some(count)) => count,
        (None, None) => {
            return Err(Mistake::new(format!(
                "{} says that this is task {} from 0, but not of how many; write --shard auto/N with the number of tasks",
                task.scheduler, task.index
            )));
        }
    };
    Shard::new(task.index, count).ok_or_else(|| {
        Mistake::new(format!(
            "{} says that this is task {} from 0, and there are only {count} parts",
            task.scheduler, task.index
        ))
    })
}

/// One task among those of a job, from 0.
#[derive(Clone, Copy, Debug)]
struct Task {
    scheduler: &'static str,
    index: u64,
    count: Option<u64>,
}

struct Numbers<'a> {
    environment: &'a Environment,
}

impl Numbers<'_> {
    /// A scheduler that numbers its tasks from 0 in `index` and, perhaps, tells their number in `count`.
    fn task(
        &self,
        scheduler: &'static str,
        index: &'static str,
        count: Option<&'static str>,
    ) -> Result<Option<Task>, Mistake> {
        let Some(index) = self.read(index)? else {
            return Ok(None);
        };
        let count = count.map_or(Ok(None), |count| self.read(count))?;
        Ok(Some(Task {
            scheduler,
            index,
            count,
        }))
    }

    /// A task of a job array, a task of a step (srun), or both: a step of several tasks in each task of the array.
    fn slurm(&self) -> Result<Option<Task>, Mistake> {
        let array = self.array()?;
        let step = match self.read(STEP_TASKS)? {
            Some(tasks) => self
                .read(PROC_ID)?
                .filter(|at| *at < tasks)
                .map(|at| (at, tasks)),
            None => None,
        };
        // Outside srun the script itself has the number 0, and there is only one of it, whatever was asked for.
        if let (None, None, Some(tasks @ 2..)) = (array, step, self.read(NTASKS)?) {
            return Err(Mistake::new(format!(
                "Slurm gave this job {tasks} tasks ({NTASKS}), but this is not one of them; start halfopen by srun, or write \
                 --shard I/N"
            )));
        }
        let (index, count) = match (array, step) {
            (None, None) => return Ok(None),
            (Some(one), None) | (None, Some(one)) => one,
            (Some((of_array, tasks)), Some((of_step, each))) => {
                let joined = of_array
                    .checked_mul(each)
                    .and_then(|before| before.checked_add(of_step))
                    .zip(tasks.checked_mul(each));
                joined.ok_or_else(|| Mistake::new("Slurm's task numbers are too large"))?
            }
        };
        Ok(Some(Task {
            scheduler: "Slurm",
            index,
            count: Some(count),
        }))
    }

    /// Place and number of tasks of a job array whose numbers are min, min + step, .. max.
    fn array(&self) -> Result<Option<(u64, u64)>, Mistake> {
        let Some(id) = self.read(ARRAY_ID)? else {
            return Ok(None);
        };
        let step = self.read(ARRAY_STEP)?.unwrap_or(1).max(1);
        let (Some(min), Some(max), Some(count)) = (
            self.read(ARRAY_MIN)?,
            self.read(ARRAY_MAX)?,
            self.read(ARRAY_COUNT)?,
        ) else {
            return Err(Mistake::new(format!(
                "Slurm says {ARRAY_ID}={id}, but not {ARRAY_MIN}, {ARRAY_MAX} and {ARRAY_COUNT}; write --shard I/N"
            )));
        };
        let regular = min <= id
            && id <= max
            && (id - min).is_multiple_of(step)
            && (max - min) / step + 1 == count;
        if !regular {
            return Err(Mistake::new(format!(
                "Slurm's array has {count} tasks from {min} to {max}, which is no range; submit it as 1-N, or write \
                 --shard I/N"
            )));
        }
        // An array of one task with a high number is one task of an earlier array, submitted again.
        if count == 1 && id > 1 {
            return Err(Mistake::new(format!(
                "task {id} is the only one of its Slurm array; if it repeats one part of a scan, write --shard {id}/N"
            )));
        }
        Ok(Some(((id - min) / step, count)))
    }

    fn read(&self, variable: &'static str) -> Result<Option<u64>, Mistake> {
        let Some(text) = self.environment.get(variable) else {
            return Ok(None);
        };
        quantity::seed(text).map(Some).map_err(|_| {
            Mistake::new(format!(
                "{variable} is {}, which is no number of a task",
                quote(text)
            ))
        })
    }
}

const ARRAY_ID: &str = "SLURM_ARRAY_TASK_ID";
const ARRAY_MIN: &str = "SLURM_ARRAY_TASK_MIN";
const ARRAY_MAX: &str = "SLURM_ARRAY_TASK_MAX";
const ARRAY_STEP: &str = "SLURM_ARRAY_TASK_STEP";
const ARRAY_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const PROC_ID: &str = "SLURM_PROCID";
const STEP_TASKS: &str = "SLURM_STEP_NUM_TASKS";
const NTASKS: &str = "SLURM_NTASKS";
const KUBERNETES: &str = "JOB_COMPLETION_INDEX";
const AWS_INDEX: &str = "AWS_BATCH_JOB_ARRAY_INDEX";
const AWS_SIZE: &str = "AWS_BATCH_JOB_ARRAY_SIZE";
const NOMAD: &str = "NOMAD_ALLOC_INDEX";

#[cfg(test)]
mod tests {
    use super::*;

    /// `3/4`, or what was said instead.
    fn told(parts: Option<u64>, environment: &[(&'static str, &str)]) -> String {
        let environment = environment
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        match shard(parts, &environment) {
            Ok(shard) => format!("{}/{}", shard.index() + 1, shard.count()),
            Err(mistake) => mistake.to_string(),
        }
    }

    fn array(id: &str, min: &str, max: &str, step: &str, count: &str) -> String {
        told(
            None,
            &[
                (ARRAY_ID, id),
                (ARRAY_MIN, min),
                (ARRAY_MAX, max),
                (ARRAY_STEP, step),
                (ARRAY_COUNT, count),
            ],
        )
    }

    #[test]
    fn a_slurm_array_from_any_number_in_any_step() {
        assert_eq!(array("1", "1", "4", "1", "4"), "1/4");
        assert_eq!(array("4", "1", "4", "1", "4"), "4/4");
        assert_eq!(array("0", "0", "3", "1", "4"), "1/4");
        assert_eq!(array("14", "10", "16", "2", "4"), "3/4");
        assert_eq!(array("0", "0", "0", "1", "1"), "1/1");
    }

    #[test]
    fn a_slurm_array_with_holes_or_one_task_submitted_again_is_no_guess() {
        let holes = array("3", "1", "7", "1", "3");
        assert!(
            holes.contains("3 tasks from 1 to 7, which is no range"),
            "{holes}"
        );
        let again = array("3", "3", "3", "1", "1");
        assert!(again.ends_with("write --shard 3/N"), "{again}");
        let outside = array("9", "1", "4", "1", "4");
        assert!(outside.contains("no range"), "{outside}");
    }

    #[test]
    fn slurm_steps_alone_and_inside_an_array() {
        let step = [(PROC_ID, "2"), (STEP_TASKS, "4"), (NTASKS, "4")];
        assert_eq!(told(None, &step), "3/4");
        let in_array = [
            (ARRAY_ID, "2"),
            (ARRAY_MIN, "1"),
            (ARRAY_MAX, "3"),
            (ARRAY_COUNT, "3"),
            (PROC_ID, "1"),
            (STEP_TASKS, "2"),
            (NTASKS, "2"),
        ];
        assert_eq!(told(None, &in_array), "4/6");
    }

    #[test]
    fn the_batch_script_of_several_tasks_is_not_one_of_them() {
        let script = told(None, &[(PROC_ID, "0"), (NTASKS, "4")]);
        assert!(script.contains("start halfopen by srun"), "{script}");
        // In an array it is one of the array's, with the processors of several tasks.
        let in_array = [
            (ARRAY_ID, "3"),
            (ARRAY_MIN, "1"),
            (ARRAY_MAX, "4"),
            (ARRAY_COUNT, "4"),
            (PROC_ID, "0"),
            (NTASKS, "2"),
        ];
        assert_eq!(told(None, &in_array), "3/4");
    }

    #[test]
    fn schedulers_that_do_not_say_of_how_many_need_it_said() {
        assert_eq!(told(Some(8), &[(KUBERNETES, "7")]), "8/8");
        assert_eq!(told(Some(3), &[(NOMAD, "0")]), "1/3");
        assert!(
            told(None, &[(KUBERNETES, "7")]).ends_with("--shard auto/N with the number of tasks")
        );
        assert!(told(Some(7), &[(KUBERNETES, "7")]).ends_with("only 7 parts"));
    }

    #[test]
    fn aws_batch_says_all() {
        let aws = [(AWS_INDEX, "9"), (AWS_SIZE, "10")];
        assert_eq!(told(None, &aws), "10/10");
        assert_eq!(told(Some(10), &aws), "10/10");
        assert!(told(Some(9), &aws).contains("AWS Batch runs 10 tasks"));
    }

    #[test]
    fn none_several_and_nonsense_are_named() {
        let none = told(None, &[]);
        for variable in [ARRAY_ID, PROC_ID, KUBERNETES, AWS_INDEX, NOMAD] {
            assert!(none.contains(variable), "{none}");
        }
        let both = told(Some(4), &[(KUBERNETES, "1"), (NOMAD, "1")]);
        assert!(both.starts_with("Kubernetes and Nomad both"), "{both}");
        let nonsense = told(Some(4), &[(NOMAD, "-1\u{1b}")]);
        assert_eq!(
            nonsense,
            r#"NOMAD_ALLOC_INDEX is "-1\x1b", which is no number of a task"#
        );
        assert!(none.len() < 390);
    }
}
