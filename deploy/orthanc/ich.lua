-- Ich: posts every stable CT series to ICH Serve and keeps the answer as metadata of the series.
--
-- OnStoredInstance ─> metadata IchServePending (the series owes an answer, survives a restart)
-- OnStableSeries ──┐
-- OnHeartBeat ─────┼─> drain: each pending series that is stable and due
-- Initialize ──────┘     POST /classify in chunks ─> metadata IchServe (JSON), pending removed
--                        no answer ─> stays pending, next attempt after a growing pause
--
-- What HttpPost tells us (Orthanc 1.10.1 and 1.12.7): a string is the body of a 2xx answer, an
-- empty string is any HTTP error, nil is no answer at all. The status code is not available.

local settings = GetOrthancConfiguration()['IchServe'] or {}
local URL = settings['Url'] or 'http://127.0.0.1:3000'
local SLICES_PER_REQUEST = tonumber(settings['SlicesPerRequest'] or 16)
local BYTES_PER_REQUEST = tonumber(settings['BytesPerRequest'] or 48 * 1024 * 1024)
local RETRY_SECONDS = tonumber(settings['RetrySeconds'] or 5)
local LONGEST_PAUSE_SECONDS = 300
local MAX_REFUSALS = tonumber(settings['MaxRefusals'] or 8)

local RESULT = 'IchServe'
local PENDING = 'IchServePending'
local LABELS = { 'epidural', 'intraparenchymal', 'intraventricular', 'subarachnoid', 'subdural', 'any' }

-- By SOP class, not only by Modality: a screenshot or key image of a CT may carry Modality CT.
local CT_CLASSES = {
  ['1.2.840.10008.5.1.4.1.1.2'] = true, -- CT Image Storage
  ['1.2.840.10008.5.1.4.1.1.2.1'] = true, -- Enhanced CT: sent, so that it gets its verdict
  ['1.2.840.10008.5.1.4.1.1.2.2'] = true, -- Legacy Converted Enhanced CT
}

-- series id -> { refusals, attempts, due }; a copy of the metadata, so that a drain needs no scan
local pending = {}

-- JSON ---------------------------------------------------------------------------------------
-- Orthanc's DumpJson turns numbers into strings, or digit strings into numbers: neither will do.

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\127]', function(character)
    return string.format('\\u%04x', character:byte())
  end) .. '"'
end

local encode

local function encode_list(list)
  local items = {}
  for _, item in ipairs(list) do
    items[#items + 1] = encode(item)
  end
  return '[' .. table.concat(items, ',') .. ']'
end

local function encode_object(object)
  local items = {}
  for key, value in pairs(object) do
    items[#items + 1] = quoted(key) .. ':' .. encode(value)
  end
  table.sort(items)
  return '{' .. table.concat(items, ',') .. '}'
end

encode = function(value)
  if type(value) == 'table' then
    -- An empty table is a list: only lists of ours can be empty.
    if #value > 0 or next(value) == nil then
      return encode_list(value)
    end
    return encode_object(value)
  elseif type(value) == 'number' then
    return string.format('%.6g', value)
  end
  return quoted(tostring(value))
end

-- What to send -------------------------------------------------------------------------------

local function by_instance_number(left, right)
  if left.number == right.number then
    return left.id < right.id
  end
  return left.number < right.number
end

local function ct_instances(series)
  local found = {}
  for _, instance in ipairs(ParseJson(RestApiGet('/series/' .. series .. '/instances')) or {}) do
    local class = RestApiGet('/instances/' .. instance['ID'] .. '/metadata/SopClassUid')
    if CT_CLASSES[class or ''] then
      local number = tonumber((instance['MainDicomTags'] or {})['InstanceNumber']) or 0
      found[#found + 1] = { id = instance['ID'], number = number }
    end
  end
  table.sort(found, by_instance_number)
  return found
end

-- The boundary is checked against every byte sent: pixel data may hold anything.
local function boundary_for(files)
  while true do
    local boundary = string.format('ich-%08x%08x', math.random(0, 2 ^ 31 - 1), math.random(0, 2 ^ 31 - 1))
    local clash = false
    for _, file in ipairs(files) do
      clash = clash or string.find(file.body, boundary, 1, true) ~= nil
    end
    if not clash then
      return boundary
    end
  end
end

local function post(files)
  local boundary = boundary_for(files)
  local parts = {}
  for _, file in ipairs(files) do
    parts[#parts + 1] = '--' .. boundary .. '\r\n'
      .. 'Content-Disposition: form-data; name="files"; filename="' .. file.id .. '"\r\n'
      .. 'Content-Type: application/dicom\r\n\r\n'
    parts[#parts + 1] = file.body
    parts[#parts + 1] = '\r\n'
  end
  parts[#parts + 1] = '--' .. boundary .. '--\r\n'
  return HttpPost(URL .. '/classify', table.concat(parts), {
    ['Content-Type'] = 'multipart/form-data; boundary=' .. boundary,
    ['Expect'] = '', -- else libcurl waits a second for "100 Continue"
  })
end

-- Chunks of at most `most` files and BYTES_PER_REQUEST bytes; `use(files)` returns false to stop.
-- Only one chunk is in memory at a time.
local function each_chunk(instances, most, use)
  local files, size = {}, 0
  for index, instance in ipairs(instances) do
    local body = RestApiGet('/instances/' .. instance.id .. '/file')
    if body == nil then
      return false
    end
    if #files > 0 and (#files == most or size + #body > BYTES_PER_REQUEST) then
      if not use(files) then
        return false
      end
      files, size = {}, 0
    end
    files[#files + 1] = { id = instance.id, body = body }
    size = size + #body
  end
  return #files == 0 or use(files)
end

-- What to keep -------------------------------------------------------------------------------

local function codes(violations)
  local found = {}
  for _, violation in ipairs(violations or {}) do
    found[#found + 1] = violation['code']
  end
  return found
end

local function kept_slice(id, slice)
  local kept = {
    instance = id,
    frame = slice['frame'],
    status = slice['status'],
    findings = slice['findings'] or {},
    errors = codes(slice['errors']),
    warnings = codes(slice['warnings']),
  }
  if slice['probabilities'] then
    kept.probabilities = {}
    for position, label in ipairs(LABELS) do
      kept.probabilities[position] = slice['probabilities'][label]
    end
  end
  return kept
end

-- Series level: how many slices of each status, the highest probability and the union of findings.
local function summary(slices)
  local counts = { classified = 0, skipped = 0, rejected = 0 }
  local highest, seen, findings = {}, {}, {}
  for _, slice in ipairs(slices) do
    counts[slice.status] = (counts[slice.status] or 0) + 1
    for position, probability in ipairs(slice.probabilities or {}) do
      highest[position] = math.max(highest[position] or 0, probability)
    end
    for _, label in ipairs(slice.findings) do
      seen[label] = true
    end
  end
  for _, label in ipairs(LABELS) do
    if seen[label] then
      findings[#findings + 1] = label
    end
  end
  return counts, highest, findings
end

local function keep(series, answer)
  RestApiPut('/series/' .. series .. '/metadata/' .. RESULT, encode(answer))
end

-- One series ---------------------------------------------------------------------------------

local function forget(series)
  pending[series] = nil
  RestApiDelete('/series/' .. series .. '/metadata/' .. PENDING)
end

local function remember(series, entry)
  pending[series] = entry
  RestApiPut('/series/' .. series .. '/metadata/' .. PENDING,
    string.format('%d %d %d', entry.attempts, entry.refusals, entry.due))
end

local function is_ready()
  local answer = HttpGet(URL .. '/readyz')
  return answer ~= nil and answer ~= ''
end

local function refused_slices(files)
  local slices = {}
  for _, file in ipairs(files) do
    slices[#slices + 1] = { instance = file.id, status = 'rejected', findings = {},
      errors = { 'refused' }, warnings = {} }
  end
  return slices
end

-- The verdicts on one chunk, or nil and whether the service was there and said no.
local function classify_chunk(files, answer)
  local body = post(files)
  if body == nil or body == '' then
    -- "No" from a service that is ready counts; a service that is away is waited for without end.
    return nil, body == '' and is_ready()
  end
  local parsed = ParseJson(body)
  if type(parsed) ~= 'table' then
    return nil, false
  end
  -- A multi-frame file has a verdict for each of its frames, all with the index of the file.
  local slices, answered = {}, 0
  for position, verdict in ipairs(parsed['slices'] or {}) do
    local file = files[verdict['index'] + 1]
    if file == nil then
      return nil, false
    end
    if position == 1 or verdict['index'] ~= parsed['slices'][position - 1]['index'] then
      answered = answered + 1
    end
    slices[position] = kept_slice(file.id, verdict)
  end
  if answered ~= #files then
    return nil, false
  end
  answer.model = parsed['model']
  answer.requests[#answer.requests + 1] = parsed['request_id']
  return slices, false
end

-- Posts the series; returns its answer, or nil and whether it was refused. On the last try a
-- refused chunk is kept as such, so that the other chunks of the series are not lost with it.
local function classify(instances, refusals)
  local last_try = refusals + 1 >= MAX_REFUSALS
  -- A refusal may have been the deadline of a slow machine: ask for half as much each time.
  local most = math.max(math.floor(SLICES_PER_REQUEST / 2 ^ refusals), 1)
  local answer = { labels = LABELS, slices = {}, requests = {} }
  local refused = false
  local complete = each_chunk(instances, most, function(files)
    local slices, said_no = classify_chunk(files, answer)
    refused = refused or said_no
    if slices == nil and said_no and last_try then
      slices = refused_slices(files)
    end
    for _, slice in ipairs(slices or {}) do
      answer.slices[#answer.slices + 1] = slice
    end
    return slices ~= nil
  end)
  if not complete then
    return nil, refused
  end
  answer.counts, answer.highest, answer.findings = summary(answer.slices)
  answer.status = #answer.requests > 0 and 'classified' or 'refused'
  return answer
end

local function postpone(series, entry, refused)
  local pause = math.min(RETRY_SECONDS * 2 ^ math.min(entry.attempts, 10), LONGEST_PAUSE_SECONDS)
  entry.attempts = entry.attempts + 1
  entry.refusals = entry.refusals + (refused and 1 or 0)
  entry.due = os.time() + math.floor(pause)
  remember(series, entry)
  print('ICH Serve gave no answer; the series stays pending')
end

local function attempt(series, entry)
  local instances = ct_instances(series)
  if #instances == 0 then
    forget(series)
    return
  end
  local answer, refused = classify(instances, entry.refusals)
  if answer then
    keep(series, answer)
    forget(series)
  else
    postpone(series, entry, refused)
  end
end

local function drain()
  local due = {}
  for series, entry in pairs(pending) do
    if entry.due <= os.time() then
      due[#due + 1] = series
    end
  end
  for _, series in ipairs(due) do
    local state = RestApiGet('/series/' .. series)
    if state == nil then
      pending[series] = nil -- deleted meanwhile, its metadata with it
    elseif ParseJson(state)['IsStable'] then
      attempt(series, pending[series])
    end
  end
end

-- Events -------------------------------------------------------------------------------------

local function mark(series)
  if pending[series] == nil or pending[series].attempts > 0 then
    remember(series, { attempts = 0, refusals = 0, due = os.time() })
  end
end

-- Pending marks of an earlier run: a restart between storing and answering must not lose a series.
function Initialize()
  math.randomseed(os.time())
  local page, step = 0, 500
  repeat
    local ids = ParseJson(RestApiGet('/series?since=' .. page .. '&limit=' .. step)) or {}
    for _, series in ipairs(ids) do
      local names = RestApiGet('/series/' .. series .. '/metadata') or ''
      if string.find(names, '"' .. PENDING .. '"', 1, true) then
        pending[series] = { attempts = 0, refusals = 0, due = os.time() }
      end
    end
    page = page + step
  until #ids < step
end

function OnStoredInstance(instance, tags)
  if tags['Modality'] == 'CT' then
    mark(ParseJson(RestApiGet('/instances/' .. instance))['ParentSeries'])
  end
  -- Orthanc before 1.11.1 has no heartbeat: every event that comes by has to do.
  drain()
end

-- The series was marked when its slices were stored: marking it here as well would send a series
-- twice that another event's drain has already found stable.
function OnStableSeries()
  drain()
end

function OnHeartBeat()
  drain()
end
