-- One decision: all of its buckets are charged, or none. A bucket is the time at which it is full, in whole
-- microseconds of this server's clock; what it lacks is the time until then. For each of KEYS there are seven of ARGV:
-- what it may lack for the request to pass, what the request costs, what it can lack at most, whether its refusal is
-- obeyed (1 or 0), what it lacks when it is empty, what one costs, and how many are wanted in advance.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {1, 0, now}
local lacks = {}
for i, key in ipairs(KEYS) do
  local at = 7 * (i - 1)
  local most = tonumber(ARGV[at + 3])
  local value = redis.pcall('GET', key)
  local lack = 0
  if value then
    if type(value) == 'string' and #value <= 16 and string.match(value, '^%d+$') then
      lack = math.min(math.max(tonumber(value) - now, 0), most)
    else
      -- Nobody of us wrote this: the bucket is as empty as can be.
      lack = most
      answer[2] = answer[2] + 1
    end
  end
  lacks[i] = lack
  if lack > tonumber(ARGV[at + 1]) and ARGV[at + 4] == '1' then answer[1] = 0 end
end
for i, key in ipairs(KEYS) do
  local at = 7 * (i - 1)
  local lack, most = lacks[i], tonumber(ARGV[at + 3])
  local after, granted = lack, 0
  if answer[1] == 1 and lack <= tonumber(ARGV[at + 1]) then
    after = lack + tonumber(ARGV[at + 2])
    local each, wanted = tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
    if wanted > 0 then
      granted = math.max(math.min(wanted, math.floor((tonumber(ARGV[at + 5]) - after) / each / 4)), 0)
      after = after + granted * each
    end
  end
  -- What a step of the clock or other rules left behind is brought down once, or it would never be paid back.
  if after > lack or (lack == most and most > 0) then
    redis.call('SET', key, string.format('%.0f', now + after), 'PX', string.format('%.0f', math.ceil(after / 1000) + 1))
  end
  answer[#answer + 1] = lack
  answer[#answer + 1] = granted
end
return answer
