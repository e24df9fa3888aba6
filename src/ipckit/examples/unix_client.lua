-- Call the calculator on a Unix socket from Lua, inside Neovim.
-- Needs: nvim (Debian: neovim)
--
-- $ nvim --headless -u NONE -c "luafile unix_client.lua" -c quitall unix:calculator.sock
-- add(2, 3) = 5
-- mean([1.5, 2.5, 3.5]) = 2.5
-- summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
-- divide(1, 0): unknown error

local path = vim.fn.argv(0):gsub('^unix:', '')
local channel = vim.fn.sockconnect('pipe', path, { rpc = true })

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
