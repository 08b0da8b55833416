//! `regions`: the regions and their hosts, without asking anybody.

use billing_core::{Environment, Region};
use serde::Serialize;

use super::{json, look, unreadable};
use crate::args::{Format, Options};
use crate::config;
use crate::failure::Failure;
use crate::format;
use crate::output::Destination;

pub(crate) fn run(options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    config::check_flags(options)?;
    let regions: Vec<(Region, String, String)> = Region::all()
        .map(|region| {
            let environment = Environment::from(region);
            (region, environment.api().to_string(), environment.login().to_string())
        })
        .collect();
    let objects = || {
        regions.iter().map(|(region, api, login)| Object {
            region: region.name(),
            domain: region.domain(),
            api,
            login,
        })
    };
    Ok(match options.format {
        Format::Table => format::table::regions(&regions, look(options, destination)).into_bytes(),
        Format::Json => {
            let array = serde_json::to_string_pretty(&objects().collect::<Vec<_>>());
            json(&array.map_err(|error| unreadable(&error))?, destination)
        }
        Format::Ndjson => {
            let lines: Result<Vec<String>, _> =
                objects().map(|object| serde_json::to_string(&object)).collect();
            json(&lines.map_err(|error| unreadable(&error))?.join("\n"), destination)
        }
        Format::Csv => format::csv::regions(&regions),
    })
}

#[derive(Serialize)]
struct Object<'a> {
    region: &'a str,
    domain: &'a str,
    api: &'a str,
    login: &'a str,
}
