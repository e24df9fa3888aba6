-- Call the calculator over TCP from Lua, inside Neovim.
-- Needs: nvim (Debian: neovim)
--
-- $ nvim --headless -u NONE -c "luafile tcp_client.lua" -c quitall tcp://127.0.0.1:PORT
-- add(2, 3) = 5
-- mean([1.5, 2.5, 3.5]) = 2.5
-- summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
-- divide(1, 0): unknown error

local host_and_port = vim.fn.argv(0):gsub('^tcp://', '')
local channel = vim.fn.sockconnect('tcp', host_and_port, { rpc = true })

local function call(...)
  return vim.rpcrequest(channel, ...)
end

local function say(...)
  io.write(string.format(...), '\n')
end

say('add(2, 3) = %d', call('add', 2, 3))
say('mean([1.5, 2.5, 3.5]) = %g', call('mean', { 1.5, 2.5, 3.5 }))
local summary = call('summarize', { 1.5, 2.5, 3.5 })
say('summarize([1.5, 2.5, 3.5]) = %d numbers up to %g', summary.count, summary.largest)
-- Neovim knows errors of its own shape, [code, text]; what is in any other it does not show.
local _, error = pcall(call, 'divide', 1, 0)
say('divide(1, 0): %s', error)
vim.fn.chanclose(channel)
