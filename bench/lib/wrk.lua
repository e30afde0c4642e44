-- wrk … -s wrk.lua URL -- METHOD PATH SCHEME TOKENS
-- Takes the tokens of a file in turn (`-` for none) and prints what it counted as one line of JSON.
local requests, count, turn = {}, 0, 0

function init(args)
  local method, path, scheme, tokens = args[1], args[2], args[3], args[4]
  local body = args[5] == "body" and '{"title":"write the report","done":false,"prio":3}' or nil
  local function add(token)
    local headers = {}
    if body then headers["Content-Type"] = "application/json" end
    if token then headers["Authorization"] = scheme .. " " .. token end
    count = count + 1
    requests[count] = wrk.format(method, path, headers, body)
  end
  if tokens == "-" then
    add(nil)
  else
    for line in io.lines(tokens) do add(line) end
  end
end

function request()
  turn = turn % count + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"us":%d,"bytes":%d,"refused":%d,"broken":%d,"late":%d,"p50":%.1f,"p99":%.1f}\n',
    summary.requests, summary.duration, summary.bytes, e.status, e.connect + e.read + e.write, e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
