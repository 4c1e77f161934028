import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { close, freePort, listen, requirePorts } from '../../../infra/local/ports.ts'

/** Does the work while another server listens on a port. */
async function whileInUse(work: (port: number) => Promise<void>): Promise<void> {
  const server = createServer()
  const port = await listen(server, 0)
  try {
    await work(port)
  } finally {
    await close(server)
  }
}

describe('a port that is in use', () => {
  it('is named, with another one to choose', async () => {
    await whileInUse(async (port) => {
      const other = port + 100 > 65_534 ? port - 100 : port + 100
      await expect(requirePorts(port, 0)).rejects.toMatchObject({
        name: 'PortInUse',
        port,
        message: `Port ${port} is in use. Stop the process that listens there, or choose another port: PORT=${other} npm start`,
      })
    })
  })

  it('of the identity provider is named as such, and PORT moves both', async () => {
    const first = await freePort()
    await whileInUse(async (port) => {
      const other = first + 100 > 65_534 ? first - 100 : first + 100
      await expect(requirePorts(first, port)).rejects.toMatchObject({
        port,
        message: `Port ${port}, for the identity provider, is in use. Stop the process that listens there, or choose another port: PORT=${other} npm start`,
      })
    })
  })
})
