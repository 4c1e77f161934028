import { describe, expect, it } from 'vitest'
import { nodeRefusal } from '../../cli/node-version.ts'

describe('the command of the package', () => {
  it.each(['18.20.4', '20.19.0', '22.17.9', '21.99.0'])('refuses Node %s, which does not load TypeScript by itself', (version) => {
    expect(nodeRefusal(version)).toBe(`phi needs Node 22.18 or later. This is Node ${version}.`)
  })

  it.each(['22.18.0', '22.21.1', '23.0.0', '24.0.0', '100.1.0', process.versions.node])('runs on Node %s', (version) => {
    expect(nodeRefusal(version)).toBeUndefined()
  })

  it('agrees with the engines of package.json', async () => {
    const { default: manifest } = (await import('../../package.json', { with: { type: 'json' } })) as {
      default: { engines: { node: string } }
    }
    expect(manifest.engines.node).toBe('>=22.18')
  })
})
