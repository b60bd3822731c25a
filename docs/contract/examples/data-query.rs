use stepwell::{Result, Table, query};

/// A table of its own in the host: no row of either enters the guest.
pub fn totals(sales: &Table, shops: &Table) -> Result<Table> {
    let sql = "select shops.city, sum(sales.amount) as total \
               from sales join shops on sales.shop = shops.name group by shops.city order by total desc";
    query::run(sql, &[("sales", sales), ("shops", shops)])
}
