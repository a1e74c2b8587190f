// SPDX-License-Identifier: Apache-2.0
#include "analysis/pool_wait.h"

#include <algorithm>
#include <array>

#include "analysis/culprit.h"
#include "analysis/frame_names.h"

namespace loopsnoop::analysis {

namespace {

// Functions in which clients wait for a connection that somebody gives back, and where the code is that uses one.
struct Pool {
	std::string_view file, function; // end of the path; the function, its class left out
	std::string_view words;
	std::array<std::string_view, 3> users; // in a path: code that has a connection when it runs
};
constexpr std::array pools{
    Pool{"/sqlalchemy/pool/impl.py", "_do_get", "SQLAlchemy's connection pool", {"/sqlalchemy/", "/psycopg2/", "/pymysql/"}},
    Pool{"/psycopg_pool/pool.py", "getconn", "psycopg's connection pool", {"/psycopg/", "/psycopg_pool/", "/psycopg_c/"}},
    Pool{"/redis/connection.py", "get_connection", "redis-py's connection pool", {"/redis/", "/redis/", "/redis/"}},
    Pool{"/urllib3/connectionpool.py", "_get_conn", "urllib3's connection pool", {"/urllib3/", "/requests/", "/urllib3/"}},
    Pool{"/dbutils/pooled_db.py", "connection", "DBUtils' connection pool", {"/dbutils/", "/psycopg2/", "/pymysql/"}},
};

// The wait itself is a Condition's, or a queue's: it is innermost.
const Pool *find_pool(const Stack &stack) {
	if (stack.python.empty() || !stack.python.front().file.ends_with("/threading.py")) {
		return nullptr;
	}
	constexpr std::size_t searched = 8; // frames between the wait and the pool
	for (std::size_t i = 1; i < std::min(stack.python.size(), searched); i++) {
		for (const Pool &pool : pools) {
			if (stack.python[i].file.ends_with(pool.file) && without_class(stack.python[i].function) == pool.function) {
				return &pool;
			}
		}
	}
	return nullptr;
}

bool uses(const Pool &pool, const Stack &stack) {
	return std::ranges::any_of(stack.python, [&](const SourceFrame &frame) {
		return std::ranges::any_of(pool.users, [&](std::string_view part) { return frame.file.find(part) != std::string::npos; });
	});
}

} // namespace

std::string_view pool_of(const Stack &stack) {
	const Pool *pool = find_pool(stack);
	return pool != nullptr ? pool->words : std::string_view{};
}

std::optional<PoolWait> find_pool_wait(const Stall &stall) {
	const Wait *wait = main_wait(stall);
	if (wait == nullptr || wait->cause != stall.cause || wait->cause != Cause::futex || !wait->stack || !stall.threads) {
		return std::nullopt;
	}
	const Pool *pool = find_pool(*wait->stack);
	if (pool == nullptr) {
		return std::nullopt;
	}
	PoolWait found;
	found.pool = pool->words;
	for (const ThreadView &thread : *stall.threads) {
		if (thread.stack && find_pool(*thread.stack) == pool) {
			found.waiters.push_back(thread.tid);
		} else if (thread.stack && uses(*pool, *thread.stack)) {
			found.users.push_back(thread.tid);
		}
	}
	return found;
}

} // namespace loopsnoop::analysis
