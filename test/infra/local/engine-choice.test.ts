import { describe, expect, it } from 'vitest'
import { chooseEngines, findEngines, type FoundEngines, majorVersion, missingEngine } from '../../../infra/local/engine-choice.ts'

const mac = 'darwin-arm64'

describe('the choice of a DynamoDB engine', () => {
  const cases: readonly (readonly [found: FoundEngines, engines: string])[] = [
    [{ platform: 'linux-x64', embedded: '/bin/engine' }, 'embedded'],
    [{ platform: 'linux-x64', embedded: '/bin/engine', java: 21, docker: 'running' }, 'embedded'],
    [{ platform: mac, java: 21, docker: 'running' }, 'java docker'],
    [{ platform: mac, java: 17 }, 'java'],
    [{ platform: mac, java: 17, docker: 'stopped' }, 'java'],
    [{ platform: mac, java: 16, docker: 'running' }, 'docker'],
    [{ platform: mac, docker: 'running' }, 'docker'],
    [{ platform: 'win32-x64', java: 25 }, 'java'],
    // its package has no native library for this platform
    [{ platform: 'linux-riscv64', java: 21, docker: 'running' }, 'docker'],
    [{ platform: 'linux-riscv64', java: 21 }, ''],
    [{ platform: mac, java: 8, docker: 'stopped' }, ''],
    [{ platform: mac }, ''],
  ]
  it.each(cases)('%j: %s', (found, engines) => {
    expect(
      chooseEngines(found)
        .map(({ engine }) => engine)
        .join(' '),
    ).toBe(engines)
  })

  const sentences: readonly (readonly [found: FoundEngines, sentence: string])[] = [
    [{ platform: mac }, 'Install and start Docker, or install Java 17 or later.'],
    [{ platform: mac, docker: 'stopped' }, 'Start Docker, which is installed but does not answer, or install Java 17 or later.'],
    [{ platform: mac, java: 11 }, 'Install and start Docker, or replace Java 11 by Java 17 or later.'],
    [{ platform: 'linux-riscv64', java: 21 }, 'Install and start Docker.'],
  ]
  it.each(sentences)('%j: one line states what is missing', (found, sentence) => {
    expect(missingEngine(found)).toBe(`${found.platform} has no embedded DynamoDB engine. ${sentence} Then run npm start again.`)
  })

  it('reads the versions of Java, and none from the stub of macOS', () => {
    expect(majorVersion('openjdk version "17.0.15" 2025-04-15')).toBe(17)
    expect(majorVersion('java version "1.8.0_401"')).toBe(8)
    expect(majorVersion('openjdk version "25" 2025-09-16')).toBe(25)
    expect(majorVersion('The operation couldn’t be completed. Unable to locate a Java Runtime.')).toBeUndefined()
  })

  it.runIf(process.platform === 'linux' && process.arch === 'x64')(
    'finds the embedded engine of a platform, and no other',
    async () => {
      expect(Object.keys(await findEngines())).toEqual(['platform', 'embedded'])
      expect(await findEngines('linux-riscv64')).not.toHaveProperty('embedded')
    },
  )
})
