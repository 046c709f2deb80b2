// What an expression gives, as the protocol writes it.
#pragma once

#include "aggregator/promql/evaluator.h"
#include "vigil/v1/query.pb.h"

namespace vigil::aggregator {

void put_labels(const vigil::Labels& labels, v1::QuerySeries& out);
/// With its warnings and infos.
void put_value(const promql::Value& value, v1::QueryResult& out);
void put_value(const promql::MatrixValue& value, v1::QueryResult& out);

}  // namespace vigil::aggregator
