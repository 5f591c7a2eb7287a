//! The steps of `phone call`, in the order in which they stand on the command line: `--press 1 --expect a.wav --press 2`.

use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, Error, value_parser};

/// One step of a call that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Say a WAV file.
    Say(PathBuf),
    /// Press keys.
    Press(String),
    /// Listen for a WAV file.
    Expect(PathBuf),
}

impl Step {
    /// What it is about: keys, or a file.
    pub(super) fn what(&self) -> String {
        match self {
            Step::Say(file) | Step::Expect(file) => file.display().to_string(),
            Step::Press(keys) => keys.clone(),
        }
    }
}

/// As it was written, without its dashes.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Step::Say(_) => SAY,
            Step::Press(_) => PRESS,
            Step::Expect(_) => EXPECT,
        };
        write!(f, "{name} {}", self.what())
    }
}

/// All steps, in order. clap keeps options of one name together, so the order is read from their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Script(pub(super) Vec<Step>);

const SAY: &str = "say";
const PRESS: &str = "press";
const EXPECT: &str = "expect";

impl clap::Args for Script {
    fn augment_args(command: Command) -> Command {
        let step = |name: &'static str, value: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).help(help).action(ArgAction::Append)
        };
        command
            .arg(step(SAY, "FILE", "Say a WAV file (mono, 16 bits)").value_parser(value_parser!(PathBuf)))
            .arg(step(PRESS, "KEYS", "Press keys: 0-9 * # A B C D, one after the other"))
            .arg(
                step(EXPECT, "FILE", "Listen for a WAV file; these three may be repeated, and are done in their order")
                    .value_parser(value_parser!(PathBuf)),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Script {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut steps: Vec<(usize, Step)> = places(matches, SAY, Step::Say);
        steps.extend(places(matches, PRESS, Step::Press));
        steps.extend(places(matches, EXPECT, Step::Expect));
        steps.sort_by_key(|(place, _)| *place);
        Ok(Script(steps.into_iter().map(|(_, step)| step).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of an option with their places on the command line.
fn places<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
    step: impl Fn(T) -> Step,
) -> Vec<(usize, Step)> {
    let indices = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<T>(name).into_iter().flatten().cloned();
    indices.zip(values.map(step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    #[test]
    fn steps_keep_the_order_of_the_command_line() {
        let command = Script::augment_args(Command::new("call").arg(Arg::new("number")));
        let words = "call 5000 --press 1 --expect a.wav --say b.wav --press 2# --expect c.wav".split(' ');
        let script = Script::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap();
        let expected = [
            Step::Press("1".to_owned()),
            Step::Expect("a.wav".into()),
            Step::Say("b.wav".into()),
            Step::Press("2#".to_owned()),
            Step::Expect("c.wav".into()),
        ];
        assert_eq!(script.0, expected);
    }
}
