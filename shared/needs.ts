/** What one item waits for: names of items, and services that wait for each other in a circle. */

/** The part of a service that says what it waits for. */
export interface Waits {
  readonly after?: readonly string[] | undefined;
  readonly needs?: readonly string[] | undefined;
}

/** The item's path: a bare name is a service's. */
export const pathOf = (name: string): string => (name.includes('/') ? name : `services/${name}`);

const serviceIn = (path: string): string | undefined => (path.startsWith('services/') ? path.slice(9) : undefined);

/** Services that this one waits for, by name. */
export const servicesBefore = (service: Waits): readonly string[] =>
  [...(service.after ?? []), ...(service.needs ?? [])].flatMap(name => serviceIn(pathOf(name)) ?? []);

/**
 * Services that wait for each other, themselves included: service -> all of its circle, sorted. Strongly connected
 * components (Tarjan 1972, without recursion: a chain may be as long as there are services).
 */
export function circlesOf(services: Readonly<Record<string, Waits>>): ReadonlyMap<string, readonly string[]> {
  const circles = new Map<string, readonly string[]>();
  const before = new Map<string, readonly string[]>();
  for (const [name, service] of Object.entries(services)) {
    const others = servicesBefore(service).filter(other => Object.hasOwn(services, other));
    if (others.length > 0) before.set(name, others);
  }
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  for (const root of before.keys()) {
    if (order.has(root)) continue;
    const path: { readonly name: string; readonly others: readonly string[]; at: number }[] = [];
    const enter = (name: string) => {
      order.set(name, order.size);
      lowest.set(name, order.size - 1);
      open.push(name);
      isOpen.add(name);
      path.push({ name, others: before.get(name) ?? [], at: 0 });
    };
    const lower = (name: string, to: number) => lowest.set(name, Math.min(lowest.get(name) ?? to, to));
    enter(root);
    for (let here = path.at(-1); here; here = path.at(-1)) {
      const { name } = here;
      const other = here.others[here.at++];
      if (other !== undefined) {
        if (!order.has(other)) enter(other);
        else if (isOpen.has(other)) lower(name, order.get(other) ?? 0);
        continue;
      }
      path.pop();
      const up = path.at(-1);
      if (up) lower(up.name, lowest.get(name) ?? 0);
      if (lowest.get(name) !== order.get(name)) continue;
      const circle = open.splice(open.indexOf(name));
      for (const member of circle) isOpen.delete(member);
      const alone = circle.length === 1 && !(before.get(name) ?? []).includes(name);
      if (!alone) for (const member of circle) circles.set(member, [...circle].sort());
    }
  }
  return circles;
}
