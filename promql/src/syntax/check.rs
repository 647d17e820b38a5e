//! Types and their rules: what may stand where.

use super::function::Signature;
use super::parse::{Parsed, Parser};
use super::{Aggregator, Binary, Node, Type, quote};

fn expect(parser: &Parser<'_>, node: &Node, wanted: Type, place: &str) -> Parsed<()> {
    let found = node.ty();
    if found == wanted {
        return Ok(());
    }
    let what = format!(
        "expected type {} in {place}, got {}",
        wanted.as_str(),
        found.as_str()
    );
    parser.fail_at(node.start, node.end, what)
}

pub(super) fn signed(parser: &Parser<'_>, inner: &Node) -> Parsed<()> {
    match inner.ty() {
        Type::Scalar | Type::Vector => Ok(()),
        found => {
            let what = format!(
                "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                found.as_str()
            );
            parser.fail_at(inner.start, inner.end, what)
        }
    }
}

/// `stated` is where `on` or `ignoring` stands, if it does.
pub(super) fn binary(
    parser: &Parser<'_>,
    binary: &Binary,
    op_start: usize,
    stated: Option<(usize, usize)>,
) -> Parsed<()> {
    let (op, left, right) = (binary.op, &binary.left, &binary.right);
    for side in [left, right] {
        if !matches!(side.ty(), Type::Scalar | Type::Vector) {
            let what = "binary expression must contain only scalar and instant vector types";
            return parser.fail_at(side.start, side.end, what);
        }
    }
    let fail = |what: String| parser.fail_at(op_start, op_start + op.as_str().len(), what);
    if binary.answers && !op.compares() {
        return fail("bool modifier can only be used on comparison operators".into());
    }
    let scalars = usize::from(left.ty() == Type::Scalar) + usize::from(right.ty() == Type::Scalar);
    if scalars == 2 && op.compares() && !binary.answers {
        return fail("comparisons between scalars must use BOOL modifier".into());
    }
    if scalars > 0 && op.is_set() {
        let op = quote(op.as_str());
        return fail(format!(
            "set operator {op} not allowed in binary scalar expression"
        ));
    }
    if scalars > 0
        && let Some((start, end)) = stated
    {
        let what = "vector matching only allowed between instant vectors";
        return parser.fail_at(start, end, what);
    }
    let matching = &binary.matching;
    if op.is_set() && matching.many.is_some() {
        let op = quote(op.as_str());
        return fail(format!("no grouping allowed for {op} operation"));
    }
    if matching.on
        && let Some(label) = matching
            .include
            .iter()
            .find(|label| matching.labels.contains(label))
    {
        let label = quote(label);
        return fail(format!(
            "label {label} must not occur in ON and GROUP clause at once"
        ));
    }
    Ok(())
}

pub(super) fn aggregate(
    parser: &Parser<'_>,
    aggregator: Aggregator,
    param: Option<&Node>,
    inner: &Node,
) -> Parsed<()> {
    expect(parser, inner, Type::Vector, "aggregation expression")?;
    let wanted = match aggregator {
        Aggregator::CountValues => Type::String,
        _ => Type::Scalar,
    };
    param.map_or(Ok(()), |param| {
        expect(parser, param, wanted, "aggregation parameter")
    })
}

pub(super) fn call(
    parser: &Parser<'_>,
    signature: &Signature,
    args: &[Node],
    start: usize,
) -> Parsed<()> {
    let most = signature.args.len();
    let least = most - signature.optional - usize::from(signature.repeats);
    let count_fault = if signature.optional == 0 && !signature.repeats && args.len() != most {
        Some((String::new(), most))
    } else if args.len() < least {
        Some(("at least ".into(), least))
    } else if args.len() > most && !signature.repeats {
        Some(("at most ".into(), most))
    } else {
        None
    };
    if let Some((bound, wanted)) = count_fault {
        let what = format!(
            "expected {bound}{wanted} argument(s) in call to {:?}, got {}",
            signature.name,
            args.len()
        );
        return parser.fail_at(start, parser.last_end(), what);
    }
    for (at, arg) in args.iter().enumerate() {
        let wanted = signature.args[at.min(most - 1)];
        let place = format!("call to function {:?}", signature.name);
        expect(parser, arg, wanted, &place)?;
    }
    Ok(())
}
