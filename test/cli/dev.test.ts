import { describe, expect, it } from 'vitest'
import { devCommand } from '../../cli/dev.ts'
import { loadCommand } from '../../cli/load.ts'
import { type Ran, runCommand } from './run-command.ts'

/** The options that the action gets, without the action. */
async function optionsOf(...words: string[]): Promise<{ readonly ran: Ran; readonly options: unknown }> {
  let options: unknown
  const command = devCommand().action((given: unknown) => void (options = given))
  return { ran: await runCommand(command, words), options }
}
const inEnvironment = async <T>(port: string, work: () => Promise<T>): Promise<T> => {
  const before = process.env['PORT']
  process.env['PORT'] = port
  try {
    return await work()
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, 'PORT')
    else process.env['PORT'] = before
  }
}

describe('phi dev', () => {
  it('has port 4000 and lines of text by default, and keeps the data', async () => {
    expect((await optionsOf()).options).toEqual({ port: 4000, log: 'text' })
  })

  it('takes the port from its option, or from PORT', async () => {
    expect((await optionsOf('--port', '4100', '--fresh', '--log', 'json')).options).toEqual({
      port: 4100,
      fresh: true,
      log: 'json',
    })
    await inEnvironment('4200', async () => {
      expect((await optionsOf()).options).toEqual({ port: 4200, log: 'text' })
      expect((await optionsOf('--port', '4300')).options).toMatchObject({ port: 4300 })
    })
  })

  it.each(['0', '65535', '-1', '4e3', '4000.5', '', 'four', ' 4000'])('refuses the port %j with the range', async (port) => {
    const { ran, options } = await optionsOf(`--port=${port}`)
    expect(ran).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('Use a whole number from 1 to 65534.') as string,
    })
    expect(options).toBeUndefined()
  })

  it('refuses a PORT that is none, and a form of lines that it does not have', async () => {
    await inEnvironment('none', async () => {
      expect((await optionsOf()).ran).toMatchObject({ code: 1, stderr: expect.stringContaining('from 1 to 65534') as string })
    })
    expect((await optionsOf('--log', 'xml')).ran.stderr).toContain('Allowed choices are text, json.')
  })
})

describe('phi load', () => {
  it.each([
    [['--tenant', 'practice'], "error: missing required argument 'file'"],
    [['records.ndjson'], "error: required option '--tenant <tenant>' not specified"],
    [['records.ndjson', '--tenant', '../practice'], "error: option '--tenant <tenant>' argument"],
    [['a', 'b', '--tenant', 'practice'], 'error: too many arguments'],
  ])('is refused without its file or tenant: %j', async (words, message) => {
    expect(await runCommand(loadCommand(), words)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(message) as string,
    })
  })
})
