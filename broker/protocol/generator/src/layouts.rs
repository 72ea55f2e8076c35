//! Writes the guard's table: for each message and version, the little program that walks its body.
//! Core: definitions in, Rust text out.

use std::collections::HashMap;
use std::fmt::Write;

use crate::schema::{Field, Message, Struct, Type, Versions};
use crate::versions::name;

/// One step of a walk, as `crate::guard::Op` has it.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Op {
    Skip(u32),
    Named(&'static str),
    /// An op over the elements or the content that another program walks.
    Over(&'static str, usize),
    /// The tagged fields that the guard must look into.
    Tags(Vec<(u32, usize)>),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Program {
    ops: Vec<Op>,
    /// Fewest bytes a value can take; at least one for whatever can be an array's element.
    min: u32,
    /// Whether a decoded element is bigger than its bytes, so that the guard counts it.
    counted: bool,
    /// Programs beneath this one, itself included.
    depth: u32,
}

#[derive(Default)]
struct Table {
    programs: Vec<Program>,
    index: HashMap<Program, usize>,
}

pub fn emit(clients: &[Message]) -> Result<String, String> {
    let mut table = Table::default();
    let requests = rows("request", clients, &mut table)?;
    let responses = rows("response", clients, &mut table)?;
    Ok(render(&table, &requests, &responses))
}

/// A row for each message of a kind, by key.
fn rows(kind: &str, clients: &[Message], table: &mut Table) -> Result<String, String> {
    let mut messages: Vec<&Message> =
        clients.iter().filter(|message| message.kind == kind && !message.valid.is_empty()).collect();
    messages.sort_by_key(|message| message.api_key);
    let mut rows = String::new();
    for message in messages {
        let mut indexes = Vec::new();
        let versions = message.valid;
        for version in versions.low..=versions.high {
            let program = struct_program(message, &message.structs[0], version, table)?;
            indexes.push(table.intern(program).to_string());
        }
        let _ = writeln!(
            rows,
            "Layouts {{ key: ApiKey::{}, min_version: {}, programs: &[{}] }},",
            name(message),
            versions.low,
            indexes.join(", ")
        );
    }
    Ok(rows)
}

fn render(table: &Table, requests: &str, responses: &str) -> String {
    let mut out = String::from(
        "//! How to walk the body of every request and response of every version without decoding it.\n\
         //! Core. Written by ottla-protocol-generator; never edited by hand.\n\n\
         use crate::guard::{Layouts, Op, Program};\nuse crate::api_key::ApiKey;\n\n",
    );
    let depth = table.programs.iter().map(|program| program.depth).max().unwrap_or(0);
    let _ = writeln!(out, "/// Deepest nesting of any message.\npub(crate) const DEPTH: usize = {depth};\n");
    let _ = writeln!(out, "pub(crate) static PROGRAMS: [Program; {}] = [", table.programs.len());
    for program in &table.programs {
        let ops: Vec<String> = program.ops.iter().map(render_op).collect();
        let _ = writeln!(
            out,
            "Program {{ ops: &[{}], min: {}, counted: {} }},",
            ops.join(", "),
            program.min,
            program.counted
        );
    }
    let _ = writeln!(out, "];");
    for (name, what, rows) in [("REQUESTS", "requests", requests), ("RESPONSES", "responses", responses)] {
        let _ = writeln!(out, "\n/// One row for each API that has {what}, by key.");
        let count = rows.lines().count();
        let _ = writeln!(out, "pub(crate) static {name}: [Layouts; {count}] = [\n{rows}];");
    }
    out
}

fn render_op(op: &Op) -> String {
    match op {
        Op::Skip(bytes) => format!("Op::Skip({bytes})"),
        Op::Named(name) => format!("Op::{name}"),
        Op::Over(name, program) => format!("Op::{name}({program})"),
        Op::Tags(tags) => {
            let tags: Vec<String> = tags.iter().map(|(tag, program)| format!("({tag}, {program})")).collect();
            format!("Op::Tags(&[{}])", tags.join(", "))
        }
    }
}

impl Table {
    fn intern(&mut self, program: Program) -> usize {
        if let Some(&at) = self.index.get(&program) {
            return at;
        }
        self.programs.push(program.clone());
        self.index.insert(program, self.programs.len() - 1);
        self.programs.len() - 1
    }
}

fn struct_program(
    message: &Message,
    layout: &Struct,
    version: i16,
    table: &mut Table,
) -> Result<Program, String> {
    let mut program = Program { ops: Vec::new(), min: 0, counted: true, depth: 1 };
    for field in layout.fields.iter().filter(|field| field.in_place().contains(version)) {
        append(message, field, version, &mut program, table)?;
    }
    if message.flexible.contains(version) {
        let mut tags = Vec::new();
        for field in layout.fields.iter().filter(|field| field.in_tags().contains(version)) {
            let mut value = Program { ops: Vec::new(), min: 0, counted: false, depth: 1 };
            append(message, field, version, &mut value, table)?;
            program.depth = program.depth.max(value.depth + 1);
            tags.push((field.tag, table.intern(value)));
        }
        tags.sort_unstable();
        program.ops.push(Op::Tags(tags));
        program.min += 1;
    }
    Ok(program)
}

/// Adds the steps of one field.
fn append(
    message: &Message,
    field: &Field,
    version: i16,
    program: &mut Program,
    table: &mut Table,
) -> Result<(), String> {
    let compact = message.flexible.contains(version);
    let nullable = field.nullable.contains(version);
    match &field.ty {
        Type::Array(element) => {
            let element = element_program(message, element, version, table)?;
            if element.min == 0 {
                return Err(format!("{}.{} has elements of no bytes", message.name, field.name));
            }
            program.depth = program.depth.max(element.depth + 1);
            let name =
                pick(compact, nullable, ["Array", "NullableArray", "CompactArray", "CompactNullableArray"]);
            program.ops.push(Op::Over(name, table.intern(element)));
            program.min += if compact { 1 } else { 4 };
        }
        Type::Struct(inner) => {
            let inner = struct_program(message, message.inner(inner)?, version, table)?;
            program.depth = program.depth.max(inner.depth + 1);
            if nullable {
                program.ops.push(Op::Over("Optional", table.intern(inner)));
                program.min += 1;
            } else {
                program.min += inner.min;
                for op in inner.ops {
                    push(program, op);
                }
            }
        }
        Type::String => {
            let names = ["String", "NullableString", "CompactString", "CompactNullableString"];
            push(program, Op::Named(pick(compact, nullable, names)));
            program.min += if compact { 1 } else { 2 };
        }
        Type::Bytes => {
            let names = ["Bytes", "NullableBytes", "CompactBytes", "CompactNullableBytes"];
            push(program, Op::Named(pick(compact, nullable, names)));
            program.min += if compact { 1 } else { 4 };
        }
        fixed => {
            let size = fixed.fixed_size().ok_or("a fixed type without a size")?;
            push(program, Op::Skip(size));
            program.min += size;
        }
    }
    Ok(())
}

fn element_program(message: &Message, ty: &Type, version: i16, table: &mut Table) -> Result<Program, String> {
    if let Type::Struct(inner) = ty {
        return struct_program(message, message.inner(inner)?, version, table);
    }
    let mut program = Program { ops: Vec::new(), min: 0, counted: ty.fixed_size().is_none(), depth: 1 };
    let field = Field {
        name: String::new(),
        ty: ty.clone(),
        versions: Versions { low: 0, high: i16::MAX },
        nullable: Versions::NONE,
        tagged: Versions::NONE,
        tag: 0,
        default: None,
        ignorable: false,
        about: String::new(),
        entity: None,
    };
    append(message, &field, version, &mut program, table)?;
    Ok(program)
}

/// Adds a step; neighbouring skips become one.
fn push(program: &mut Program, op: Op) {
    if let (Op::Skip(more), Some(Op::Skip(bytes))) = (&op, program.ops.last_mut()) {
        *bytes += more;
    } else {
        program.ops.push(op);
    }
}

fn pick(compact: bool, nullable: bool, names: [&'static str; 4]) -> &'static str {
    names[usize::from(compact) * 2 + usize::from(nullable)]
}
