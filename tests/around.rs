//! Transports around a simulated one, which see or change some of what passes.

/// Methods of a [`Transport`](halfopen::transport::Transport) that do no more than those of its `inner` one.
macro_rules! passes_on {
    (@now) => {
        fn now(&self) -> halfopen::model::Time {
            self.inner.now()
        }
    };
    (@room) => {
        fn room(&self) -> usize {
            self.inner.room()
        }
    };
    (@recv) => {
        fn recv(
            &mut self,
            until: halfopen::model::Time,
            out: &mut Vec<halfopen::model::Observation>,
        ) {
            self.inner.recv(until, out);
        }
    };
    (@departures) => {
        fn tell_departures(&mut self) {
            self.inner.tell_departures();
        }

        fn departures(&mut self, out: &mut Vec<halfopen::model::Departure>) {
            self.inner.departures(out);
        }
    };
    (@counters) => {
        fn counters(&self) -> halfopen::transport::Counters {
            self.inner.counters()
        }
    };
    ($($method:ident)+) => {
        $(passes_on!(@$method);)+
    };
}
