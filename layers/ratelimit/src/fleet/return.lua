-- Returns what was charged in advance and not used. For each of KEYS there are three of ARGV: how many, when the bucket
-- was to be full by what was charged then, and what one costs, in microseconds of this server's clock.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i, key in ipairs(KEYS) do
  local at = 3 * (i - 1)
  local value = redis.pcall('GET', key)
  if type(value) == 'string' and #value <= 16 and string.match(value, '^%d+$') then
    local each = tonumber(ARGV[at + 3])
    local worth = math.floor(math.max(tonumber(ARGV[at + 2]) - now, 0) / each)
    local after = tonumber(value) - math.min(tonumber(ARGV[at + 1]), worth) * each
    if after > now then
      redis.call('SET', key, string.format('%.0f', after), 'PX', string.format('%.0f', math.ceil((after - now) / 1000) + 1))
    else
      redis.call('DEL', key)
    end
  end
end
return 1
