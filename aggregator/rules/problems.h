// What is wrong with a file, one by one: made of the text of an error that names all of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::rules {

struct Problem {
  std::string file;  // "" where none is named
  int line = 0;      // from 1; 0: not known
  int column = 0;    // from 1, in characters; 0: not known
  std::string message;

  std::string to_string() const;  // "file:line:column: message"
};

/// Of lines "file:line:column: message". A line without a place goes on with the message before it, or is a
/// problem of its own when it is the first.
std::vector<Problem> split_problems(std::string_view text);

/// The same text with the problems in the order of their lines and columns; those of one place keep theirs.
/// For the errors of one file, which are found by kind.
std::string in_file_order(std::string_view text);

}  // namespace vigil::rules
