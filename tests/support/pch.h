// Precompiled by every test program.
#pragma once

#include "cmake/pch.h"
#include "tests/support/catch.h"
