/** A broker on which Home Assistant may be: Hearth's own, or the user's over the uplink. */
export type OutletName = 'own' | 'uplink';
export const outletNames: readonly OutletName[] = ['own', 'uplink'];

export interface Outlet {
  readonly name: OutletName;
  publish(topic: string, text: string, options: { readonly retain: boolean; readonly qos: 0 | 1 }): void;
}
