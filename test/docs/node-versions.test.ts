import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as z from 'zod'
import { nodeRefusal } from '../../cli/node-version.ts'

const textOf = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const Engines = z.object({ engines: z.object({ node: z.string() }).partial().optional().catch(undefined) })
const Package = z.object({ engines: z.object({ node: z.string() }), devDependencies: z.object({ node: z.string() }) })
const Lock = z.object({ packages: z.record(z.string(), Engines) })

const [, oldest = '', ofLts = '', installed = ''] =
  /You need Node (\d+\.\d+) or later, with npm; of Node 24, (24\.\d+) or later\. The project installs Node (\d+)/.exec(
    textOf('README.md'),
  ) ?? []

it('README.md states the versions of Node that package.json and the commands require', () => {
  const { engines, devDependencies } = Package.parse(JSON.parse(textOf('package.json')))
  expect(engines.node).toBe(`>=${oldest}`)
  expect(devDependencies.node).toMatch(new RegExp(`^${installed}\\.`))
  expect(nodeRefusal(`${oldest}.0`)).toBeUndefined()
  expect(nodeRefusal(`${oldest.replace(/\d+$/, (minor) => String(Number(minor) - 1))}.0`)).toContain(`Node ${oldest} or later`)
})

it('README.md states the oldest minor version of Node 24 that the locked packages accept', () => {
  const { packages } = Lock.parse(JSON.parse(textOf('package-lock.json')))
  const minors = Object.values(packages).flatMap(({ engines }) =>
    [...(engines?.node ?? '').matchAll(/(?:>=|\^|~) ?24\.(\d+)/g)].map(([, minor]) => Number(minor)),
  )
  expect(ofLts).toBe(`24.${Math.max(...minors)}`)
})
