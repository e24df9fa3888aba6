-- Start a program from Neovim and call the calculator inside it, in Lua.
-- Needs: nvim (Debian: neovim)
--
-- $ nvim --headless -u NONE -c "luafile pipe_client.lua" -c quitall "pipe:python -m ipckit.examples.pipe_server"
-- add(2, 3) = 5
-- mean([1.5, 2.5, 3.5]) = 2.5
-- summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
-- divide(1, 0): unknown error

local command = vim.fn.argv(0):gsub('^pipe:', '')
-- Text is given to the shell; a list of words would not be.
local channel = vim.fn.jobstart(command, { rpc = true })

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
vim.fn.jobwait({ channel })
