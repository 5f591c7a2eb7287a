//! UTC timestamps as the wire writes them. Times come in as microseconds since the Unix epoch;
//! this room never asks what time it is.

use std::fmt;

/// A moment, in microseconds since 1970-01-01T00:00:00Z (negative before). Displays as
/// `2020-05-28T00:10:54.104318Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub i64);

impl Utc {
    /// The form of an error body's `date`: whole seconds and no zone, `2021-05-06T05:26:40`.
    pub fn without_zone(self) -> impl fmt::Display {
        Seconds(self)
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}Z", Seconds(*self), self.0.rem_euclid(1_000_000))
    }
}

struct Seconds(Utc);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.0.div_euclid(1_000_000);
        let (year, month, day) = date(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years are
/// counted from March so that the leap day is the last of its year.
fn date(day: i64) -> (i64, i64, i64) {
    const DAYS_TO_EPOCH: i64 = 719_468; // 0000-03-01 to 1970-01-01
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let day = day + DAYS_TO_EPOCH;
    let era = day.div_euclid(DAYS_OF_400_YEARS);
    let of_era = day.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_print_as_the_contract_writes_them() {
        let table = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_590_624_654_104_318, "2020-05-28T00:10:54.104318Z"),
            (1_582_934_400_000_001, "2020-02-29T00:00:00.000001Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ];
        for (micros, text) in table {
            assert_eq!(Utc(micros).to_string(), text);
        }
        assert_eq!(Utc(1_620_278_800_999_999).without_zone().to_string(), "2021-05-06T05:26:40");
    }

    #[test]
    fn every_moment_prints() {
        for micros in [i64::MIN, i64::MIN + 1, i64::MAX] {
            assert!(!Utc(micros).to_string().is_empty());
        }
    }
}
