//! The tree as JSON, in the form of Prometheus' `/api/v1/parse_query`.

use serde_json::{Value, json};
use series::Op;

use super::{
    Aggregate, At, Binary, Call, Expr, Kind, Matching, Node, Selector, Side, Type, When, function,
};

impl Expr {
    /// The tree as JSON.
    #[must_use]
    pub fn tree(&self) -> Value {
        self.root.tree()
    }
}

impl Node {
    fn tree(&self) -> Value {
        match &self.kind {
            Kind::Number { value, .. } => {
                json!({ "type": "numberLiteral", "val": number(*value) })
            }
            Kind::Text(text) => json!({ "type": "stringLiteral", "val": text.lossy() }),
            Kind::Paren(inner) => json!({ "type": "parenExpr", "expr": inner.tree() }),
            Kind::Minus(inner) => json!({ "type": "unaryExpr", "op": "-", "expr": inner.tree() }),
            Kind::Plus(inner) => json!({ "type": "unaryExpr", "op": "+", "expr": inner.tree() }),
            Kind::Binary(binary) => binary.tree(),
            Kind::Aggregate(aggregate) => aggregate.tree(),
            Kind::Call(call) => call.tree(),
            Kind::Selector(selector) => selector.tree("vectorSelector"),
            Kind::Range(range) => {
                let mut tree = range.selector.tree("matrixSelector");
                tree["range"] = range.range_ms.into();
                tree["rangeExpr"] = Value::Null;
                tree
            }
            Kind::Subquery(subquery) => {
                let mut tree = when(subquery.when);
                tree["type"] = "subquery".into();
                tree["expr"] = subquery.inner.tree();
                tree["range"] = subquery.range_ms.into();
                tree["rangeExpr"] = Value::Null;
                tree["step"] = subquery.step_ms.unwrap_or(0).into();
                tree["stepExpr"] = Value::Null;
                tree
            }
        }
    }

    fn is_scalar(&self) -> bool {
        self.ty() == Type::Scalar
    }
}

/// Never with an exponent.
fn number(value: f64) -> String {
    match value.is_finite() {
        true => value.to_string(),
        false => exposition::format_value(value),
    }
}

/// `offset` and `@`.
fn when(when: When) -> Value {
    let (timestamp, bound) = match when.at {
        None => (None, None),
        Some(At::Time(time)) => (Some(time), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
    };
    json!({
        "offset": when.offset_ms,
        "offsetExpr": null,
        "timestamp": timestamp,
        "startOrEnd": bound,
    })
}

impl Selector {
    fn tree(&self, kind: &str) -> Value {
        let pairs = self.matchers.iter().zip(&self.written);
        let matchers = pairs.map(|(matcher, written)| {
            let op = match matcher.op {
                Op::Equal => "=",
                Op::NotEqual => "!=",
                Op::Regex => "=~",
                Op::NotRegex => "!~",
            };
            json!({ "name": matcher.name, "value": written, "type": op })
        });
        let name = self.named.then(|| self.written.first()).flatten();
        let mut tree = when(self.when);
        tree["type"] = kind.into();
        tree["name"] = name.map_or("", String::as_str).into();
        tree["matchers"] = matchers.collect();
        tree["anchored"] = false.into();
        tree["smoothed"] = false.into();
        tree
    }
}

impl Aggregate {
    fn tree(&self) -> Value {
        json!({
            "type": "aggregation",
            "op": self.aggregator.as_str(),
            "expr": self.inner.tree(),
            "param": self.param.as_ref().map(Node::tree),
            "grouping": self.grouping.labels,
            "without": self.grouping.without,
        })
    }
}

impl Binary {
    fn tree(&self) -> Value {
        let scalars = self.left.is_scalar() || self.right.is_scalar();
        let Matching {
            on,
            labels,
            many,
            include,
        } = &self.matching;
        let cardinality = match many {
            _ if self.op.is_set() => "many-to-many",
            None => "one-to-one",
            Some(Side::Left) => "many-to-one",
            Some(Side::Right) => "one-to-many",
        };
        let matching = json!({
            "card": cardinality,
            "labels": labels,
            "on": on,
            "include": include,
            "fillValues": { "lhs": null, "rhs": null },
        });
        json!({
            "type": "binaryExpr",
            "op": self.op.as_str(),
            "lhs": self.left.tree(),
            "rhs": self.right.tree(),
            "matching": if scalars { Value::Null } else { matching },
            "bool": self.answers,
        })
    }
}

impl Call {
    fn tree(&self) -> Value {
        let signature = function::find(self.name);
        let args = signature
            .map(|signature| signature.args)
            .unwrap_or_default();
        let variadic = signature.map_or(0, |signature| match signature.repeats {
            true => -1,
            false => i64::try_from(signature.optional).unwrap_or(0),
        });
        json!({
            "type": "call",
            "func": {
                "name": self.name,
                "argTypes": args.iter().copied().map(word).collect::<Vec<_>>(),
                "variadic": variadic,
                "returnType": word(self.function.returns()),
            },
            "args": self.args.iter().map(Node::tree).collect::<Vec<_>>(),
        })
    }
}

fn word(of: Type) -> &'static str {
    match of {
        Type::Scalar => "scalar",
        Type::Vector => "vector",
        Type::Matrix => "matrix",
        Type::String => "string",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::parse;

    fn tree(source: &str) -> serde_json::Value {
        parse(source).unwrap().tree()
    }

    #[test]
    fn a_selector_states_its_matchers_and_its_time() {
        let matchers = json!([
            { "name": "__name__", "value": "x", "type": "=" },
            { "name": "a", "value": "b\\d", "type": "!~" },
        ]);
        let mut wanted = json!({
            "type": "vectorSelector", "name": "x", "matchers": matchers,
            "offset": 60_000, "offsetExpr": null, "timestamp": 1500, "startOrEnd": null,
            "anchored": false, "smoothed": false,
        });
        assert_eq!(tree(r#"x{a!~"b\\d"} offset 1m @ 1.5"#), wanted);
        wanted["type"] = "matrixSelector".into();
        wanted["range"] = 300_000.into();
        wanted["rangeExpr"] = json!(null);
        assert_eq!(tree(r#"x{a!~"b\\d"}[5m] offset 1m @ 1.5"#), wanted);
        assert_eq!(tree("(x[1h:])")["expr"]["step"], 0);
        assert_eq!(tree("x[1h:5m] @ end()")["startOrEnd"], "end");
        assert_eq!(tree(r#"{"x"}"#)["name"], "");
    }

    #[test]
    fn operators_calls_and_aggregations_state_their_kind() {
        let one = json!({ "type": "numberLiteral", "val": "1" });
        let paren = json!({ "type": "parenExpr", "expr": one });
        assert_eq!(
            tree("-(1) <bool 1"),
            json!({
                "type": "binaryExpr", "op": "<", "bool": true, "matching": null, "rhs": one,
                "lhs": { "type": "unaryExpr", "op": "-", "expr": paren },
            })
        );
        assert_eq!(
            tree("a * on(x) group_left(y) b")["matching"],
            json!({
                "card": "many-to-one", "labels": ["x"], "on": true, "include": ["y"],
                "fillValues": { "lhs": null, "rhs": null },
            })
        );
        assert_eq!(tree("a or b")["matching"]["card"], "many-to-many");
        let call = tree(r#"round(x, 1)"#);
        assert_eq!(
            call["func"],
            json!({
                "name": "round", "argTypes": ["vector", "scalar"], "variadic": 1,
                "returnType": "vector",
            })
        );
        assert_eq!(call["args"][1], one);
        let topk = tree("topk without(a) (1, x)");
        assert_eq!((&topk["op"], &topk["param"]), (&json!("topk"), &one));
        assert_eq!(
            (&topk["grouping"], &topk["without"]),
            (&json!(["a"]), &json!(true))
        );
        assert_eq!(tree("sum(x)")["param"], json!(null));
    }
}
